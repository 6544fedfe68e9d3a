/*
 * The init of the guest: says where it runs through the serial port's driver, so by interrupts, then restarts.
 */
#include <cpuid.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

int main(void)
{
    struct utsname system;
    unsigned leaf, name[4] = { 0 };
    int console;

    mkdir("/dev", 0755);
    if (mount("dev", "/dev", "devtmpfs", 0, NULL) < 0 || (console = open("/dev/ttyS0", O_RDWR)) < 0)
        return 1;
    uname(&system);
    __cpuid(0x40000000, leaf, name[0], name[1], name[2]);
    dprintf(console, "init: %s %s %s on %s\n", system.sysname, system.release, system.machine, (char *)name);
    tcdrain(console);
    reboot(RB_AUTOBOOT);
    return 1;
}
