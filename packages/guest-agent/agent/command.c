#include "command.h"
#include "answer.h"
#include "cgroup.h"
#include "channel.h"
#include "command-streams.h"
#include "console.h"
#include "spawn.h"
#include "terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct command commands[LIMIT_RUNNING_COMMANDS];
/* Ids only grow, so an id that is not in the table was either ended or never used. */
static uint32_t last_id;
static bool refusing;

static struct command *find(uint32_t id)
{
	for (size_t i = 0; i < LIMIT_RUNNING_COMMANDS; i++)
		if (commands[i].phase != COMMAND_FREE && commands[i].id == id)
			return &commands[i];
	return NULL;
}

static struct command *find_free(void)
{
	for (size_t i = 0; i < LIMIT_RUNNING_COMMANDS; i++)
		if (commands[i].phase == COMMAND_FREE)
			return &commands[i];
	return NULL;
}

static void release(struct command *c)
{
	close_once(&c->failure_fd);
	close_once(&c->in.fd);
	close_once(&c->out[0].fd);
	close_once(&c->out[1].fd);
	free(c->in.buffer);
	free(c->program);
	free(c->cwd);
	cgroup_remove(c->id);
	memset(c, 0, sizeof *c);
}

/* Reports. */

static void report_not_started(uint32_t id, uint8_t reason, int error, const char *message)
{
	struct writer w = channel_begin(FRAME_NOT_STARTED);
	write_u32(&w, id);
	write_u8(&w, reason);
	write_u32(&w, (uint32_t)error);
	write_text(&w, message, LIMIT_MESSAGE_BYTES);
	channel_end(&w);
}

static void report_signalled(uint32_t request, int error)
{
	struct writer w = channel_begin(FRAME_SIGNALLED);
	write_u32(&w, request);
	write_u32(&w, (uint32_t)error);
	channel_end(&w);
}

static void report_ended(const struct command *c)
{
	struct writer w = channel_begin(FRAME_ENDED);
	write_u32(&w, c->id);
	write_u8(&w, c->ended_how);
	write_u32(&w, c->ended_value);
	write_u8(&w, c->core_dumped);
	channel_end(&w);
}

/* Requests. */

const char *command_exec(const struct request *request)
{
	if (request->id <= last_id)
		return "exec: an id that is not new";
	last_id = request->id;
	struct command *c = find_free();
	if (c == NULL || refusing) {
		report_not_started(request->id, NOT_STARTED_RESOURCES, EAGAIN,
		                   refusing ? "the unit is shutting down" : "the unit runs as many commands as it may at once");
		return NULL;
	}
	c->program = strdup(request->exec.argv[0]);
	c->cwd = strdup(request->exec.cwd);
	c->in.buffer = request->exec.stdin_open ? malloc(LIMIT_STDIN_WINDOW) : NULL;
	c->id = request->id;
	c->terminal = request->exec.rows != 0;
	c->in.last = -1;
	c->failure_fd = c->in.fd = c->out[0].fd = c->out[1].fd = -1;
	int error = ENOMEM;
	struct spawned spawned = {0};
	if (c->program != NULL && c->cwd != NULL && (c->in.buffer != NULL || !request->exec.stdin_open)) {
		int cgroup_fd = cgroup_make(request->id);
		error = spawn(request, cgroup_fd, &spawned);
		close_once(&cgroup_fd);
	}
	if (error != 0) {
		report_not_started(request->id, NOT_STARTED_RESOURCES, error, strerror(error));
		release(c);
		return NULL;
	}
	c->phase = COMMAND_STARTING;
	c->pid = spawned.pid;
	c->failure_fd = spawned.failure_fd;
	c->in.fd = spawned.stdin_fd;
	c->in.credit = request->exec.stdin_open ? LIMIT_STDIN_WINDOW : 0;
	for (size_t i = 0; i < 2; i++) {
		c->out[i].fd = spawned.out_fd[i];
		c->out[i].credit = request->exec.credit[i];
	}
	return NULL;
}

const char *command_stdin(const struct request *request)
{
	struct command *c = find(request->id);
	if (c == NULL)
		return request->id <= last_id ? NULL : "stdin: no such command";
	struct input *in = &c->in;
	size_t size = request->chunk.size;
	if (in->buffer == NULL || in->end_seen)
		return "stdin: after its end";
	if (request->chunk.offset != in->offset)
		return "stdin: not the next offset";
	if (size > in->credit)
		return "stdin: more than was granted";
	in->offset += size;
	in->credit -= (uint32_t)size;
	if (in->fd < 0)
		return NULL; /* The command closed it; the host has been told. */
	memcpy(in->buffer + in->used, request->chunk.bytes, size);
	in->used += size;
	return NULL;
}

const char *command_stdin_end(const struct request *request)
{
	struct command *c = find(request->id);
	if (c == NULL)
		return request->id <= last_id ? NULL : "stdin-end: no such command";
	if (c->in.buffer == NULL || c->in.end_seen)
		return "stdin-end: after its end";
	if (request->chunk.offset != c->in.offset)
		return "stdin-end: not the number of bytes sent";
	c->in.end_seen = true;
	return NULL;
}

const char *command_credit(const struct request *request)
{
	struct command *c = find(request->id);
	if (c == NULL)
		return request->id <= last_id ? NULL : "output-credit: no such command";
	struct output *o = &c->out[request->output_credit.stream == STREAM_STDOUT ? 0 : 1];
	if (request->output_credit.credit > LIMIT_MAX_CREDIT - o->credit)
		return "output-credit: too much at once";
	o->credit += request->output_credit.credit;
	return NULL;
}

const char *command_signal(const struct request *request)
{
	struct command *c = find(request->signal.command);
	if (c == NULL && request->signal.command > last_id)
		return "signal: no such command";
	/* Once reaped its number may belong to somebody else. */
	if (c == NULL || c->phase != COMMAND_RUNNING || c->reaped)
		report_signalled(request->id, ESRCH);
	else
		report_signalled(request->id, kill(-c->pid, request->signal.signal) < 0 ? errno : 0);
	return NULL;
}

static void kill_command(struct command *c)
{
	c->killed = true;
	if (!c->reaped) {
		kill(-c->pid, SIGKILL);
		/* Before its setsid the child is no group yet. */
		kill(c->pid, SIGKILL);
	}
	cgroup_kill(c->id);
}

const char *command_kill(uint32_t id)
{
	struct command *c = find(id);
	if (c == NULL)
		return id <= last_id ? NULL : "kill: no such command";
	kill_command(c);
	return NULL;
}

/* The terminal of the command that the host means; or NULL, and it has its answer. */
static struct command *find_terminal(uint32_t request, uint32_t id, const char **wrong)
{
	struct command *c = find(id);
	*wrong = c == NULL && id > last_id ? "a terminal of no such command" : NULL;
	if (*wrong != NULL)
		return NULL;
	int error = c == NULL ? ESRCH : !c->terminal ? ENOTTY : c->out[0].fd < 0 ? EIO : 0;
	if (error == 0)
		return c;
	answer_refusal(request, error, "there is no such terminal");
	return NULL;
}

const char *command_resize(const struct request *request)
{
	const char *wrong = NULL;
	const struct command *c = find_terminal(request->id, request->resize.command, &wrong);
	if (c == NULL)
		return wrong;
	if (terminal_resize(c->out[0].fd, request->resize.rows, request->resize.columns))
		answer_done(request->id);
	else
		answer_refusal(request->id, errno, "the terminal keeps its size");
	return NULL;
}

/* Once nobody holds the master, the kernel sends SIGHUP to whoever is on the terminal. */
static void hang_up(struct command *c)
{
	if (c->in.fd >= 0)
		close_input(c);
	if (c->out[0].fd >= 0)
		end_output(c, 0, END_CUT);
}

const char *command_hang_up(const struct request *request)
{
	const char *wrong = NULL;
	struct command *c = find_terminal(request->id, request->command, &wrong);
	if (c == NULL)
		return wrong;
	if (c->phase == COMMAND_RUNNING) {
		hang_up(c);
		answer_done(request->id);
	} else {
		answer_refusal(request->id, EAGAIN, "the command has not started yet");
	}
	return NULL;
}

void refuse_new_commands(void) { refusing = true; }

size_t count_commands(void)
{
	size_t count = 0;
	for (size_t i = 0; i < LIMIT_RUNNING_COMMANDS; i++)
		count += commands[i].phase != COMMAND_FREE;
	return count;
}

void ask_all_commands_to_end(void)
{
	for (size_t i = 0; i < LIMIT_RUNNING_COMMANDS; i++) {
		struct command *c = &commands[i];
		if (c->phase == COMMAND_FREE || c->reaped)
			continue;
		kill(-c->pid, SIGTERM);
		/* One that is stopped could not end. */
		kill(-c->pid, SIGCONT);
		if (c->terminal && c->phase == COMMAND_RUNNING)
			hang_up(c);
	}
}

void kill_all_commands(void)
{
	for (size_t i = 0; i < LIMIT_RUNNING_COMMANDS; i++)
		if (commands[i].phase != COMMAND_FREE)
			kill_command(&commands[i]);
}

/* Life. */

/* Exec has succeeded (the report pipe closed without a byte) or told why not. */
static void learn_start(struct command *c)
{
	struct failure failure;
	ssize_t got = read(c->failure_fd, &failure, sizeof failure);
	if (got < 0)
		return;
	close_once(&c->failure_fd);
	if (got != (ssize_t)sizeof failure) {
		c->phase = COMMAND_RUNNING;
		report_command(FRAME_STARTED, c->id);
		return;
	}
	char message[LIMIT_MESSAGE_BYTES];
	uint8_t reason = explain_failure(&failure, c->program, c->cwd, message, sizeof message);
	report_not_started(c->id, reason, failure.error, message);
	/* The child is about to exit by itself; whoever reaps it finds no command and forgets it. */
	release(c);
}

void command_reaped(pid_t pid, int code, int status)
{
	struct command *c = NULL;
	for (size_t i = 0; i < LIMIT_RUNNING_COMMANDS && c == NULL; i++)
		if (commands[i].phase != COMMAND_FREE && !commands[i].reaped && commands[i].pid == pid)
			c = &commands[i];
	if (c == NULL)
		return;
	if (c->phase == COMMAND_STARTING)
		learn_start(c);
	if (c->phase == COMMAND_FREE)
		return;
	c->reaped = true;
	c->drain_deadline = now_ms() + DRAIN_GRACE_MS;
	c->ended_how = code == CLD_EXITED ? ENDED_EXITED : ENDED_SIGNALLED;
	c->ended_value = (uint32_t)status;
	c->core_dumped = code == CLD_DUMPED;
	if (code == CLD_KILLED && status == SIGKILL && !c->killed && cgroup_saw_oom(c->id))
		c->ended_how = ENDED_OOM;
	note_owed(c);
}

static void step(struct command *c)
{
	if (c->phase == COMMAND_STARTING)
		learn_start(c);
	if (c->phase != COMMAND_RUNNING)
		return;
	step_input(c);
	step_output(c, 0);
	step_output(c, 1);
	if (c->reaped && c->out[0].fd < 0 && c->out[1].fd < 0) {
		report_ended(c);
		release(c);
	}
}

void commands_step(void)
{
	for (size_t i = 0; i < LIMIT_RUNNING_COMMANDS; i++)
		if (commands[i].phase != COMMAND_FREE)
			step(&commands[i]);
}

size_t commands_poll(struct pollfd *set, size_t count)
{
	for (size_t i = 0; i < LIMIT_RUNNING_COMMANDS; i++) {
		const struct command *c = &commands[i];
		if (c->phase == COMMAND_FREE)
			continue;
		if (c->phase == COMMAND_STARTING)
			set[count++] = (struct pollfd){.fd = c->failure_fd, .events = POLLIN};
		/* Also when there is nothing to write: POLLERR tells that the command closed it. */
		if (c->in.fd >= 0)
			set[count++] = (struct pollfd){.fd = c->in.fd, .events = c->in.used > 0 ? POLLOUT : 0};
		for (size_t s = 0; s < 2 && c->phase == COMMAND_RUNNING; s++)
			if (c->out[s].fd >= 0 && output_allowance(c, &c->out[s]) > 0 && channel_takes_output())
				set[count++] = (struct pollfd){.fd = c->out[s].fd, .events = POLLIN};
	}
	return count;
}

int commands_timeout(int64_t now)
{
	int64_t next = -1;
	for (size_t i = 0; i < LIMIT_RUNNING_COMMANDS; i++) {
		const struct command *c = &commands[i];
		if (c->phase == COMMAND_FREE || !c->reaped || now >= c->drain_deadline)
			continue;
		int64_t left = c->drain_deadline - now;
		next = next < 0 || left < next ? left : next;
	}
	return (int)next;
}
