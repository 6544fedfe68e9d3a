/* PID 1 of the machine inside the lab: says which hypervisor runs it, and powers off. */
#include <cpuid.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

int main(void)
{
    unsigned highest, signature[3];
    char hypervisor[sizeof signature + 1] = "";
    struct utsname kernel;
    char uptime[32] = "?";
    int file;

    mkdir("/proc", 0755);
    if (mount("proc", "/proc", "proc", 0, NULL) == 0 && (file = open("/proc/uptime", O_RDONLY)) >= 0) {
        ssize_t n = read(file, uptime, sizeof uptime - 1);
        uptime[n > 0 ? n : 0] = '\0';
        uptime[strcspn(uptime, " ")] = '\0';
    }
    /* The hypervisor's own leaf: KVM answers "KVMKVMKVM", TCG answers "TCGTCGTCGTCG". */
    __cpuid(0x40000000, highest, signature[0], signature[1], signature[2]);
    memcpy(hypervisor, signature, sizeof signature);
    uname(&kernel);
    printf("proof: hypervisor=%s kernel=%s uptime=%s\n", hypervisor, kernel.release, uptime);
    fflush(stdout);
    reboot(RB_POWER_OFF);
    return 1;
}
