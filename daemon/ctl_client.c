#include "daemon/ctl_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINE_MAX_LEN = 16 * 1024 * 1024 };

struct stream {
	int fd;
	int timeout_s;
	char *p; /* owned */
	size_t n, at, cap;
};

static enum ctl_exit unreachable(const char *path, int error)
{
	switch (error) {
	case EACCES:
	case EPERM:
		fprintf(stderr,
			"gatewayctl: %s: permission denied; run as root, or join the group named by `control.group`\n",
			path);
		return CTL_NOT_PERMITTED;
	case ENOENT:
	case ECONNREFUSED:
		fprintf(stderr,
			"gatewayctl: gatewayd is not running (nobody answers at %s)\n"
			"  start it:       systemctl start gatewayd\n"
			"  why it ended:   journalctl -u gatewayd -n 20\n"
			"  another socket: --socket PATH or $GATEWAYCTL_SOCKET\n",
			path);
		return CTL_UNREACHABLE;
	default:
		fprintf(stderr, "gatewayctl: cannot reach gatewayd at %s: %s\n", path, strerror(error));
		return CTL_UNREACHABLE;
	}
}

static enum ctl_exit dial(const char *path, int *fd)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int error;

	if (strlen(path) >= sizeof(to.sun_path)) {
		fprintf(stderr, "gatewayctl: the socket's path is too long: %s\n", path);
		return CTL_USAGE;
	}
	strcpy(to.sun_path, path);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd >= 0 && connect(*fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return CTL_OK;
	error = errno;
	if (*fd >= 0)
		close(*fd);
	return unreachable(path, error);
}

static bool send_line(int fd, const json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t n = text ? strlen(text) : 0, at = 0;

	if (!text)
		return false;
	text[n++] = '\n'; /* in place of the NUL: only the length counts from here on */
	while (at < n) {
		ssize_t done = send(fd, text + at, n - at, MSG_NOSIGNAL);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			break;
		at += (size_t)done;
	}
	free(text);
	return at == n;
}

static enum ctl_exit fill(struct stream *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	ssize_t n;
	int r;

	if (s->at > 0) {
		memmove(s->p, s->p + s->at, s->n - s->at);
		s->n -= s->at;
		s->at = 0;
	}
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 64 * 1024;
		char *bigger = cap <= LINE_MAX_LEN ? realloc(s->p, cap) : NULL;

		if (!bigger) {
			fprintf(stderr, "gatewayctl: an answer is too long\n");
			return CTL_FAILED;
		}
		s->p = bigger;
		s->cap = cap;
	}
	do {
		r = poll(&p, 1, s->timeout_s < 0 ? -1 : s->timeout_s * 1000);
	} while (r < 0 && errno == EINTR);
	if (r == 0) {
		fprintf(stderr, "gatewayctl: no answer within %d s (--timeout)\n", s->timeout_s);
		return CTL_TIMEOUT;
	}
	n = r > 0 ? recv(s->fd, s->p + s->n, s->cap - s->n, 0) : -1;
	if (n <= 0) {
		fprintf(stderr, "gatewayctl: gatewayd ended the connection in the middle of its answer\n");
		return CTL_UNREACHABLE;
	}
	s->n += (size_t)n;
	return CTL_OK;
}

static enum ctl_exit next_line(struct stream *s, json_t **out)
{
	size_t searched = 0;
	json_error_t why;

	for (;;) {
		char *from = s->p + s->at + searched;
		char *end = s->n > s->at + searched ? memchr(from, '\n', s->n - s->at - searched) : NULL;
		enum ctl_exit r;

		if (end) {
			size_t n = (size_t)(end - (s->p + s->at));

			*out = json_loadb(s->p + s->at, n, 0, &why);
			s->at += n + 1;
			if (*out)
				return CTL_OK;
			fprintf(stderr, "gatewayctl: the answer is no JSON: %s\n", why.text);
			return CTL_FAILED;
		}
		searched = s->n - s->at;
		r = fill(s);
		if (r != CTL_OK)
			return r;
	}
}

static enum ctl_exit ended(const json_t *line)
{
	static const struct {
		const char *code;
		enum ctl_exit exit;
	} codes[] = {
		{ "not-found", CTL_NO_MATCH },
		{ "not-permitted", CTL_NOT_PERMITTED },
		{ "bad-request", CTL_USAGE },
		{ "config-invalid", CTL_CONFIG_INVALID },
	};
	const json_t *error = json_object_get(line, "error");
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *text = json_string_value(json_object_get(error, "text"));

	if (!error)
		return CTL_OK;
	fprintf(stderr, "gatewayctl: %s\n", text ? text : "failed");
	for (size_t i = 0; code && i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(code, codes[i].code) == 0)
			return codes[i].exit;
	return CTL_FAILED;
}

static enum ctl_exit read_answer(struct stream *s, ctl_each *each, void *arg)
{
	for (;;) {
		enum ctl_exit r;
		json_t *line = NULL, *item;

		r = next_line(s, &line);
		if (r != CTL_OK)
			return r;
		if (json_is_true(json_object_get(line, "end"))) {
			r = ended(line);
			json_decref(line);
			return r;
		}
		item = json_object_get(line, "item");
		if (item && !each(arg, item))
			r = CTL_FAILED;
		json_decref(line);
		if (r != CTL_OK)
			return r;
	}
}

enum ctl_exit ctl_ask(const char *socket_path, const json_t *request, int timeout_s, ctl_each *each, void *arg)
{
	struct stream s = { .fd = -1, .timeout_s = timeout_s };
	enum ctl_exit r = dial(socket_path, &s.fd);

	if (r != CTL_OK)
		return r;
	/* One that turns us away may have closed its end before our request arrived: its answer still says why. */
	(void)send_line(s.fd, request);
	r = read_answer(&s, each, arg);
	free(s.p);
	close(s.fd);
	return r;
}
