/* The end of the unit. */
#ifndef SPECTRUM_POWER_H
#define SPECTRUM_POWER_H

/* In a test build, which is an ordinary process, these are exit statuses. */
enum power_off_reason {
	POWER_OFF_ASKED = 0,
	POWER_OFF_FAILURE = 3,
};

/* Kills every process, writes back what is dirty, powers off. */
__attribute__((noreturn)) void power_off(enum power_off_reason reason);

#endif
