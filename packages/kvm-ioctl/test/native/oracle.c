/* What a C program finds on the same /dev/kvm, written apart from the package: an oracle for the probe. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int run_guest(int kvm, int vm) {
  static const uint8_t code[] = {0xb0, 0x2a, 0xe6, 0x10, 0xf4}; /* mov al, 42; out 0x10, al; hlt */
  uint8_t *memory = mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 0;
  memcpy(memory, code, sizeof code);
  if (ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_SET_TSS_ADDR) > 0) ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000UL);
  struct kvm_userspace_memory_region region = {.memory_size = 0x10000, .userspace_addr = (uintptr_t)memory};
  if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0) return 0;
  const int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
  if (vcpu < 0) return 0;
  struct kvm_run *run = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
  if (run == MAP_FAILED) return 0;
  struct kvm_sregs sregs;
  if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0) return 0;
  sregs.cs.base = 0;
  sregs.cs.selector = 0;
  const struct kvm_regs regs = {.rflags = 2};
  if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0) return 0;
  if (ioctl(vcpu, KVM_RUN, 0) < 0 || run->exit_reason != KVM_EXIT_IO) return 0;
  if (*((uint8_t *)run + run->io.data_offset) != 42) return 0;
  return ioctl(vcpu, KVM_RUN, 0) == 0 && run->exit_reason == KVM_EXIT_HLT;
}

int main(void) {
  alarm(10);
  const int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm < 0) return printf("closed %d\n", errno), 0;
  const int vm = ioctl(kvm, KVM_CREATE_VM, 0);
  printf("api %d\n", ioctl(kvm, KVM_GET_API_VERSION, 0));
  for (int number = 0; vm >= 0 && number < 1024; number++) {
    const int answer = ioctl(vm, KVM_CHECK_EXTENSION, number);
    if (answer > 0) printf("capability %d %d\n", number, answer);
  }
  printf("runs %d\n", vm >= 0 && run_guest(kvm, vm));
  return 0;
}
