/* What a C program pays for the same: `peer ioctl|exit COUNT` prints nanoseconds for each. */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int fail(const char *what) {
  perror(what);
  return 1;
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  const long rounds = atol(arguments[2]);
  const int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm < 0) return fail("/dev/kvm");
  volatile unsigned long sum = 0;
  double start = now();
  if (strcmp(arguments[1], "ioctl") == 0) {
    for (long i = 0; i < rounds; i++) sum += (unsigned long)ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_USER_MEMORY);
  } else {
    static const uint8_t code[] = {0xb0, 0x2a, 0xe6, 0x10, 0xeb, 0xfc}; /* mov al, 42; again: out 0x10, al; jmp again */
    const int vm = ioctl(kvm, KVM_CREATE_VM, 0);
    uint8_t *memory = mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (vm < 0 || memory == MAP_FAILED) return fail("machine");
    memcpy(memory + 0x1000, code, sizeof code);
    ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000UL);
    struct kvm_userspace_memory_region region = {.memory_size = 0x10000, .userspace_addr = (uintptr_t)memory};
    if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0) return fail("slot");
    const int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    struct kvm_run *run = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (vcpu < 0 || run == MAP_FAILED) return fail("vCPU");
    struct kvm_sregs sregs;
    if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0) return fail("registers");
    sregs.cs.base = 0;
    sregs.cs.selector = 0;
    const struct kvm_regs regs = {.rip = 0x1000, .rflags = 2};
    if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0) return fail("registers");
    for (long i = 0; i < 200; i++) ioctl(vcpu, KVM_RUN, 0);
    start = now();
    for (long i = 0; i < rounds; i++) {
      if (ioctl(vcpu, KVM_RUN, 0) < 0 || run->exit_reason != KVM_EXIT_IO || run->io.port != 0x10) return fail("run");
      sum += *((uint8_t *)run + run->io.data_offset);
    }
  }
  printf("%.1f\n", (now() - start) / (double)rounds);
  return sum == 0;
}
