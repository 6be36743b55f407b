/*
 * The process of an adapter and its two pipes. What it does not read yet is queued, so that a slow adapter is seen as
 * memory with a bound and not as a loop that stands still.
 */
#include "harness/target/adapter.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/base64.h"
#include "harness/base/clock.h"
#include "harness/base/json.h"
#include "harness/net/watch.h"
#include "harness/target/process.h"

enum { ARGS_MAX = 32, PATH_MAX_ = 512, CHUNK = 256 << 10, PIPE_SIZE = 1 << 20 };

struct adapter_link {
	struct adapter *adapter;
	uint32_t number;
	bool closed, broken;
	uint64_t waiting;               /* lines it has not done with */
	const struct adapter_events *events;
	void *owner;
};

struct adapter {
	struct loop *loop;
	pid_t pid;
	struct watch in, out;           /* its input, while something waits for it; its output */
	int in_fd;                      /* -1: gone */
	struct buf unread, line;
	size_t read_already;            /* octets at the beginning of `unread` */
	uint64_t asked, answered;       /* lines */
	uint64_t probe, probe_us;       /* one of them, until it is answered: when it was asked; 0: none */
	struct adapter_link **links;    /* by number - 1 */
	size_t n_links, cap_links, first_free;
};

static void become(const char *path, char **argv, int in, int out, pid_t parent)
{
	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	execvp(path, argv);
	_exit(127);
}

static void link_broken(struct adapter_link *link, const char *why)
{
	if (link->closed || link->broken)
		return;
	link->broken = true;
	link->events->broken(link->owner, why);
}

static void end_input(struct adapter *a)
{
	watch_stop(&a->in);
	if (a->in_fd >= 0)
		close(a->in_fd);
	a->in_fd = -1;
}

static void gone(struct adapter *a)
{
	end_input(a);
	watch_stop(&a->out);
	for (size_t i = 0; i < a->cap_links; i++)
		if (a->links[i])
			link_broken(a->links[i], "the adapter's process has ended");
}

/* Its answers, line by line. */
static int take_message(struct adapter_link *link, const json_t *line, const char *key)
{
	struct buf octets CLEANUP(buf_fini);
	const json_t *text = json_object_get(line, key);
	buf_init(&octets, ADAPTER_LINE_MAX);
	int r = base64_decode(&octets, span_of(json_string_value(text), json_string_length(text)));
	if (r == 0)
		link->events->send(link->owner, buf_span(&octets), !json_is_false(json_object_get(line, "binary")));
	return r;
}

static int take_heard(struct adapter_link *link, const json_t *heard)
{
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, ADAPTER_LINE_MAX);
	int r = json_append(&text, heard);
	if (r == 0)
		link->events->heard(link->owner, buf_span(&text));
	return r;
}

static void link_done(struct adapter_link *link)
{
	struct adapter *a = link->adapter;
	if (link->waiting)
		link->waiting--;
	if (++a->answered >= a->probe)
		a->probe_us = 0;
	if (!link->closed || link->waiting)
		return;
	size_t at = link->number - 1;
	a->links[at] = NULL;
	a->n_links--;
	a->first_free = at < a->first_free ? at : a->first_free;
	free(link);
}

static struct adapter_link *link_of(const struct adapter *a, const json_t *line)
{
	json_int_t number = json_integer_value(json_object_get(line, "connection"));
	return number > 0 && (uint64_t)number <= a->cap_links ? a->links[number - 1] : NULL;
}

static int take_line(struct adapter *a, struct span text)
{
	json_t *line = json_loadb((const char *)text.p, text.len, 0, NULL);
	struct adapter_link *link = link_of(a, line);
	const json_t *heard = json_object_get(line, "heard"), *broken = json_object_get(line, "broken");
	bool open = link && !link->closed && !link->broken;
	int r = link ? 0 : -EINVAL;
	if (json_is_true(json_object_get(line, "done")))
		r = link ? 0 : -EINVAL;
	else if (open && json_object_get(line, "send"))
		r = take_message(link, line, "send");
	else if (open && heard)
		r = take_heard(link, heard);
	else if (open && json_is_string(broken))
		link_broken(link, json_string_value(broken));
	else if (open)
		r = -EINVAL;
	if (link && json_is_true(json_object_get(line, "done")))
		link_done(link);
	json_decref(line);
	return r;
}

static void take_lines(struct adapter *a, size_t from)
{
	size_t used = 0;
	int r = 0;
	for (size_t at = from; r == 0 && at < a->line.len; at++) {
		if (a->line.p[at] != '\n')
			continue;
		r = take_line(a, span_of(a->line.p + used, at - used));
		used = at + 1;
	}
	buf_consume(&a->line, used);
	if (r < 0)
		gone(a);
}

static void on_output(void *owner)
{
	struct adapter *a = owner;
	size_t from = a->line.len;
	if (buf_reserve(&a->line, CHUNK) < 0) {
		gone(a);
		return;
	}
	ssize_t got = read(a->out.fd, a->line.p + from, CHUNK);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		gone(a);
		return;
	}
	a->line.len += (size_t)got;
	take_lines(a, from);
}

/* Writes what it takes. */
static int flush(struct adapter *a)
{
	while (a->unread.len > a->read_already) {
		ssize_t sent = write(a->in_fd, a->unread.p + a->read_already, a->unread.len - a->read_already);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EAGAIN ? 0 : -errno;
		a->read_already += (size_t)sent;
		if (a->read_already * 2 < a->unread.len)
			continue; /* so that each octet is moved once at most */
		buf_consume(&a->unread, a->read_already);
		a->read_already = 0;
	}
	return 0;
}

static void on_input(void *owner)
{
	struct adapter *a = owner;
	if (flush(a) == 0 && a->unread.len)
		return;
	watch_stop(&a->in);
}

static int ask(struct adapter_link *link, json_t *line)
{
	struct adapter *a = link->adapter;
	size_t before = a->unread.len;
	int r = a->in_fd < 0 ? -EPIPE : json_append(&a->unread, line);
	json_decref(line);
	if (r == 0)
		r = buf_append_u8(&a->unread, '\n');
	if (r < 0) {
		a->unread.len = before;
		return r;
	}
	link->waiting++;
	a->asked++;
	if (!a->probe_us) {
		a->probe = a->asked;
		a->probe_us = clock_now_us();
	}
	/* Its end is told from the loop. */
	flush(a);
	if (a->unread.len && !a->in.handle)
		r = watch_start(&a->in, a->loop, dup(a->in_fd), true, on_input, a);
	return r;
}

int adapter_message(struct adapter_link *link, struct span message, bool binary)
{
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, ADAPTER_LINE_MAX);
	int r = base64_encode(&text, message);
	if (r < 0)
		return r;
	json_t *line = json_pack("{s:I, s:s%, s:b}", "connection", (json_int_t)link->number, "message",
				 text.len ? (const char *)text.p : "", text.len, "binary", binary);
	return line ? ask(link, line) : -ENOMEM;
}

int adapter_say(struct adapter_link *link, struct span message)
{
	json_t *said = json_loadb((const char *)message.p, message.len, JSON_DECODE_ANY, NULL);
	if (!said)
		return -EINVAL;
	json_t *line = json_pack("{s:I, s:o}", "connection", (json_int_t)link->number, "say", said);
	return line ? ask(link, line) : -ENOMEM;
}

uint64_t adapter_behind_us(const struct adapter *a, uint64_t now_us)
{
	return a->probe_us && now_us > a->probe_us ? now_us - a->probe_us : 0;
}

static int grow(struct adapter *a)
{
	size_t cap = a->cap_links ? 2 * a->cap_links : 16;
	if (a->n_links < a->cap_links)
		return 0;
	if (cap > 2 * ADAPTER_LINKS_MAX)
		return -ENOBUFS;
	struct adapter_link **grown = realloc(a->links, cap * sizeof(struct adapter_link *));
	if (!grown)
		return -ENOMEM;
	memset(grown + a->cap_links, 0, (cap - a->cap_links) * sizeof(*grown));
	a->links = grown;
	a->cap_links = cap;
	return 0;
}

static int tell(struct adapter_link *link, const char *what)
{
	json_t *line = json_pack("{s:I, s:b}", "connection", (json_int_t)link->number, what, 1);
	return line ? ask(link, line) : -ENOMEM;
}

int adapter_open(struct adapter *a, const struct adapter_events *events, void *owner, struct adapter_link **ret_link)
{
	int r = a->n_links < ADAPTER_LINKS_MAX ? grow(a) : -ENOBUFS;
	struct adapter_link *link = r == 0 ? calloc(1, sizeof(*link)) : NULL;
	if (!link)
		return r < 0 ? r : -ENOMEM;
	while (a->links[a->first_free])
		a->first_free++;
	*link = (struct adapter_link){.adapter = a, .events = events, .owner = owner, .number = (uint32_t)a->first_free + 1};
	r = tell(link, "open");
	if (r < 0) {
		free(link);
		return r;
	}
	a->links[a->first_free] = link;
	a->n_links++;
	*ret_link = link;
	return 0;
}

void adapter_close(struct adapter_link *link)
{
	if (!link)
		return;
	link->closed = true;
	tell(link, "closed");
}

static int spawn(struct adapter *a, const struct opt_strings *command, struct err *e)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1};
	char path[PATH_MAX_];
	const char *argv[ARGS_MAX + 1] = {NULL};
	if (command->len > ARGS_MAX)
		return err_set(e, EINVAL, "adapter: expected at most %d words", ARGS_MAX);
	for (size_t i = 0; i < command->len; i++)
		argv[i] = command->items[i];
	process_beside_us(argv[0], path, sizeof(path));
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0) {
		int why = errno;
		if (in[0] >= 0) {
			close(in[0]);
			close(in[1]);
		}
		return err_set(e, why, "adapter: no pipe: %s", strerror(why));
	}
	pid_t parent = getpid();
	a->pid = fork();
	if (a->pid == 0)
		become(path, (char **)argv, in[0], out[1], parent);
	int why = errno;
	close(in[0]);
	close(out[1]);
	a->in_fd = in[1];
	fcntl(in[1], F_SETFL, O_NONBLOCK);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(in[1], F_SETPIPE_SZ, PIPE_SIZE); /* fewer turns between the two processes; without it they are only slower */
	fcntl(out[0], F_SETPIPE_SZ, PIPE_SIZE);
	int r = watch_start(&a->out, a->loop, out[0], false, on_output, a);
	if (a->pid < 0)
		return err_set(e, why, "%s cannot be started: %s", argv[0], strerror(why));
	return r < 0 ? err_set(e, -r, "adapter: its output cannot be watched: %s", strerror(-r)) : 0;
}

int adapter_start(struct loop *l, const struct opt_strings *command, struct adapter **ret_adapter, struct err *e)
{
	struct adapter *a = calloc(1, sizeof(*a));
	assert(command->len);
	if (!a)
		return err_set(e, ENOMEM, "adapter: out of memory");
	a->loop = l;
	a->in_fd = -1;
	buf_init(&a->unread, ADAPTER_UNREAD_MAX);
	buf_init(&a->line, ADAPTER_LINE_MAX);
	int r = spawn(a, command, e);
	if (r < 0) {
		adapter_stop(a);
		return r;
	}
	*ret_adapter = a;
	return 0;
}

/* Its input has ended; what it still writes is of no interest, but must not stop it. */
static void reap(struct adapter *a)
{
	uint8_t octets[4096];
	for (uint64_t until = clock_now_us() + ADAPTER_STOP_MS * 1000ull; clock_now_us() < until;) {
		while (a->out.handle && read(a->out.fd, octets, sizeof(octets)) > 0)
			;
		if (waitpid(a->pid, NULL, WNOHANG) != 0)
			return;
		poll(NULL, 0, 1);
	}
	kill(a->pid, SIGKILL);
	waitpid(a->pid, NULL, 0);
}

void adapter_stop(struct adapter *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->cap_links; i++) {
		assert(!a->links[i] || a->links[i]->closed);
		free(a->links[i]);
	}
	a->cap_links = 0;
	end_input(a);
	if (a->pid > 0)
		reap(a);
	gone(a);
	buf_fini(&a->unread);
	buf_fini(&a->line);
	free(a->links);
	free(a);
}
