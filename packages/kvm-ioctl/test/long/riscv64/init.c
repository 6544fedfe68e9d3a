/*
 * The first process of the riscv64 machine: loads KVM, runs the program that the command line names behind `--`, lets its
 * output out at the console and powers off.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **arguments) {
  mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
  mount("proc", "/proc", "proc", 0, NULL);
  mount("sysfs", "/sys", "sysfs", 0, NULL);
  const int module = open("/kvm.ko", O_RDONLY | O_CLOEXEC);
  if (syscall(SYS_finit_module, module, "", 0) < 0) perror("kvm.ko");
  const pid_t child = count > 1 ? fork() : -1;
  if (child == 0) {
    execv(arguments[1], arguments + 1);
    perror(arguments[1]);
    _exit(127);
  }
  int status = -1;
  if (child > 0) waitpid(child, &status, 0);
  printf("\nended with %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  fflush(stdout);
  sync();
  reboot(RB_POWER_OFF);
}
