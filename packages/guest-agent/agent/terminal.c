#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

bool terminal_resize(int master, uint16_t rows, uint16_t columns)
{
	struct winsize size = {.ws_row = rows, .ws_col = columns};
	return ioctl(master, TIOCSWINSZ, &size) == 0;
}

bool terminal_control(int slave) { return ioctl(slave, TIOCSCTTY, 0) == 0; }

bool terminal_open(uint16_t rows, uint16_t columns, int *master, int *slave)
{
	int unlocked = 0;
	*slave = -1;
	*master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*master < 0)
		return false;
	/* By the descriptor, not by a path that a program could have put something else at. */
	if (ioctl(*master, TIOCSPTLCK, &unlocked) == 0)
		*slave = ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*slave >= 0 && terminal_resize(*master, rows, columns))
		return true;
	int error = errno;
	if (*slave >= 0)
		close(*slave);
	close(*master);
	*master = *slave = -1;
	errno = error;
	return false;
}

/* Whether the reader has had everything up to here, so that one end-of-file character gives it nothing. */
static bool at_start_of_line(const struct termios *mode, int last)
{
	return last < 0 || last == '\n' || (last == '\r' && (mode->c_iflag & ICRNL) != 0) || last == mode->c_cc[VEOF] ||
	       (mode->c_cc[VEOL] != _POSIX_VDISABLE && last == mode->c_cc[VEOL]);
}

size_t terminal_end_of_input(int master, int last, uint8_t bytes[TERMINAL_END_BYTES])
{
	struct termios mode;
	if (tcgetattr(master, &mode) < 0 || (mode.c_lflag & ICANON) == 0 || mode.c_cc[VEOF] == _POSIX_VDISABLE)
		return 0;
	size_t count = at_start_of_line(&mode, last) ? 1 : 2;
	for (size_t i = 0; i < count; i++)
		bytes[i] = mode.c_cc[VEOF];
	return count;
}
