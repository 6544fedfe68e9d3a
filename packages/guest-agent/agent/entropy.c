#include "entropy.h"
#include "answer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifdef SPECTRUM_TEST_BUILD

/* What an ordinary process may do: it is mixed in, and credited to nobody. */
static bool add(int fd, const uint8_t *bytes, size_t size) { return write(fd, bytes, size) == (ssize_t)size; }

#else

static bool add(int fd, const uint8_t *bytes, size_t size)
{
	/* struct rand_pool_info, whose last member is an array without a length. */
	struct {
		int bits;
		int bytes;
		uint8_t pool[LIMIT_ENTROPY_BYTES];
	} info = {.bits = (int)size * 8, .bytes = (int)size};
	memcpy(info.pool, bytes, size);
	/* Without the reseed the old state would be drawn from for up to a minute more. */
	bool added = ioctl(fd, RNDADDENTROPY, &info) == 0 && ioctl(fd, RNDRESEEDCRNG) == 0;
	int error = errno;
	explicit_bzero(&info, sizeof info);
	errno = error;
	return added;
}

#endif

const char *entropy_add(const struct request *request)
{
	int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && add(fd, request->entropy.bytes, request->entropy.size))
		answer_done(request->id);
	else
		answer_refusal(request->id, errno, "the kernel takes no entropy");
	if (fd >= 0)
		close(fd);
	return NULL;
}
