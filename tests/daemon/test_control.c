#include "daemon/control.h"

#include <errno.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon_check.h"

enum { MANY = 20000 };

struct scene {
	struct env env;
	struct loop *loop;
	struct control *control;
	unsigned steps, most_per_step;
};

/* ---- commands of a daemon for tests ---- */

static enum gw_err cmd_echo(void *ctx, struct control_call *call)
{
	(void)ctx;
	control_item(call, json_pack("{s:s, s:I}", "conn", call->request->conn, "id", (json_int_t)call->request->id));
	return GW_OK;
}

static enum gw_err cmd_many(void *ctx, struct control_call *call)
{
	struct scene *s = ctx;
	unsigned made = 0;

	s->steps++;
	while (control_room(call)) {
		if (call->cursor[0] == MANY)
			return GW_OK;
		control_item(call, json_pack("{s:I, s:s}", "n", (json_int_t)call->cursor[0]++, "filler",
					     "0123456789012345678901234567890123456789"));
		made++;
	}
	s->most_per_step = made > s->most_per_step ? made : s->most_per_step;
	return GW_PENDING;
}

static enum gw_err cmd_fail(void *ctx, struct control_call *call)
{
	(void)ctx;
	return err_set(&call->err, GW_ENOTFOUND, "no such thing as \xff");
}

static enum gw_err cmd_no_item(void *ctx, struct control_call *call)
{
	(void)ctx;
	control_item(call, NULL);
	return GW_OK;
}

static const struct control_command commands[] = {
	{ "echo", false, cmd_echo },  { "many", false, cmd_many },	 { "fail", false, cmd_fail },
	{ "change", true, cmd_echo }, { "no-item", false, cmd_no_item }, { NULL, false, NULL },
};

static void scene_open(struct scene *s, const char *path)
{
	const struct control_config cfg = { .path = path, .commands = commands, .ctx = s };
	struct err e = { 0 };

	memset(s, 0, sizeof(*s));
	s->env.clock = clock_system();
	s->loop = loop_create(s->env.clock, &e);
	s->control = control_create(&s->env, s->loop, &cfg, &e);
	ck_assert_msg(s->control != NULL, "%s", e.text);
}

static void scene_close(struct scene *s)
{
	control_destroy(s->control);
	loop_destroy(s->loop);
}

static int client_open(struct scene *s, bool root)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	if (!control_adopt(s->control, fds[1], root)) {
		close(fds[0]);
		return -1;
	}
	return fds[0];
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), 0), (ssize_t)strlen(text));
}

/* Turns until a line is there; in a static buffer, without its newline. NULL: the server closed. */
static const char *hear(struct scene *s, int fd)
{
	static char line[16 * 1024];
	size_t n = 0;

	for (int turns = 0; turns < 100000; turns++) {
		ssize_t got = recv(fd, line + n, 256, MSG_PEEK);
		char *end = got > 0 ? memchr(line + n, '\n', (size_t)got) : NULL;

		if (got == 0)
			return NULL;
		if (got < 0) {
			ck_assert_int_eq(errno, EAGAIN);
			loop_turn(s->loop, false);
			continue;
		}
		if (end)
			got = end + 1 - (line + n);
		ck_assert_int_eq(recv(fd, line + n, (size_t)got, 0), got);
		n += (size_t)got;
		ck_assert_uint_lt(n, sizeof(line) - 256);
		if (end) {
			line[n - 1] = 0;
			return line;
		}
	}
	ck_abort_msg("no answer");
	return NULL;
}

START_TEST(question_and_answer)
{
	struct scene s;
	int fd;

	scene_open(&s, NULL);
	fd = client_open(&s, false);
	say(fd, "{\"cmd\":\"echo\",\"conn\":\"office\",\"id\":7}\n");
	ck_assert_str_eq(hear(&s, fd), "{\"item\":{\"conn\":\"office\",\"id\":7}}");
	ck_assert_str_eq(hear(&s, fd), "{\"end\":true}");
	/* the same connection goes on, in pieces and with several requests at once */
	say(fd, "{\"cmd\":");
	loop_turn(s.loop, false);
	say(fd, "\"echo\",\"id\":1}\n\n{\"cmd\":\"echo\",\"id\":2}\n{\"cmd\":\"nothing\"}\n");
	ck_assert_str_eq(hear(&s, fd), "{\"item\":{\"conn\":\"\",\"id\":1}}");
	ck_assert_str_eq(hear(&s, fd), "{\"end\":true}");
	ck_assert_str_eq(hear(&s, fd), "{\"item\":{\"conn\":\"\",\"id\":2}}");
	ck_assert_str_eq(hear(&s, fd), "{\"end\":true}");
	ck_assert_str_eq(hear(&s, fd),
			 "{\"end\":true,\"error\":{\"code\":\"bad-request\",\"text\":\"unknown command `nothing`\"}}");
	close(fd);
	loop_turn(s.loop, true);
	ck_assert_uint_eq(control_client_count(s.control), 0);
	scene_close(&s);
}
END_TEST

START_TEST(only_root_changes)
{
	struct scene s;
	int fd, root;

	scene_open(&s, NULL);
	fd = client_open(&s, false);
	root = client_open(&s, true);
	say(fd, "{\"cmd\":\"change\"}\n");
	ck_assert_ptr_nonnull(strstr(hear(&s, fd), "{\"end\":true,\"error\":{\"code\":\"not-permitted\""));
	say(root, "{\"cmd\":\"change\",\"id\":5}\n");
	ck_assert_str_eq(hear(&s, root), "{\"item\":{\"conn\":\"\",\"id\":5}}");
	close(fd);
	close(root);
	scene_close(&s);
}
END_TEST

START_TEST(errors_are_told)
{
	struct scene s;
	int fd;

	scene_open(&s, NULL);
	fd = client_open(&s, false);
	say(fd, "{\"cmd\":\"fail\"}\n");
	/* text that is no UTF-8 is replaced, not passed on */
	ck_assert_str_eq(hear(&s, fd), "{\"end\":true,\"error\":{\"code\":\"not-found\",\"text\":\"not found\"}}");
	say(fd, "rubbish\n");
	ck_assert_ptr_nonnull(strstr(hear(&s, fd), "\"bad-request\""));
	/* an answer that cannot be made ends the connection: half of one would be taken for all */
	say(fd, "{\"cmd\":\"no-item\"}\n");
	ck_assert_ptr_null(hear(&s, fd));
	ck_assert_uint_eq(control_client_count(s.control), 0);
	close(fd);
	scene_close(&s);
}
END_TEST

START_TEST(long_lines_are_refused_and_survived)
{
	struct scene s;
	char junk[1000];
	int fd;

	scene_open(&s, NULL);
	fd = client_open(&s, false);
	memset(junk, 'x', sizeof(junk));
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(send(fd, junk, sizeof(junk), 0), (ssize_t)sizeof(junk));
		loop_turn(s.loop, false);
	}
	ck_assert_ptr_nonnull(strstr(hear(&s, fd), "a request has at most 4095 octets"));
	say(fd, "\n{\"cmd\":\"echo\",\"id\":3}\n");
	ck_assert_str_eq(hear(&s, fd), "{\"item\":{\"conn\":\"\",\"id\":3}}");
	ck_assert_str_eq(hear(&s, fd), "{\"end\":true}");
	close(fd);
	scene_close(&s);
}
END_TEST

START_TEST(long_listing_waits_for_its_reader)
{
	struct scene s;
	int slow, quick;
	unsigned steps;

	scene_open(&s, NULL);
	slow = client_open(&s, false);
	quick = client_open(&s, false);
	say(slow, "{\"cmd\":\"many\"}\n");
	for (int i = 0; i < 200; i++)
		loop_turn(s.loop, false);
	steps = s.steps;
	/* nobody reads: no more is made than fits the buffers */
	for (int i = 0; i < 200; i++)
		loop_turn(s.loop, false);
	ck_assert_uint_eq(s.steps, steps);
	/* others are served meanwhile */
	say(quick, "{\"cmd\":\"echo\"}\n");
	ck_assert_ptr_nonnull(strstr(hear(&s, quick), "item"));
	for (int i = 0; i < MANY; i++) {
		char expect[64];

		(void)snprintf(expect, sizeof(expect), "{\"item\":{\"n\":%d,", i);
		ck_assert_int_eq(strncmp(hear(&s, slow), expect, strlen(expect)), 0);
	}
	ck_assert_str_eq(hear(&s, slow), "{\"end\":true}");
	ck_assert_uint_gt(s.steps, 10);
	ck_assert_uint_lt(s.most_per_step, MANY / 10);
	close(slow);
	close(quick);
	scene_close(&s);
}
END_TEST

START_TEST(half_closed_client_gets_all)
{
	struct scene s;
	int fd;

	scene_open(&s, NULL);
	fd = client_open(&s, false);
	say(fd, "{\"cmd\":\"many\"}\n{\"cmd\":\"echo\",\"id\":9}\n");
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	for (int i = 0; i < MANY; i++)
		(void)hear(&s, fd);
	ck_assert_str_eq(hear(&s, fd), "{\"end\":true}");
	ck_assert_str_eq(hear(&s, fd), "{\"item\":{\"conn\":\"\",\"id\":9}}");
	ck_assert_str_eq(hear(&s, fd), "{\"end\":true}");
	ck_assert_ptr_null(hear(&s, fd));
	close(fd);
	scene_close(&s);
}
END_TEST

START_TEST(reader_that_vanishes_is_forgotten)
{
	struct scene s;
	int fd;

	scene_open(&s, NULL);
	fd = client_open(&s, false);
	say(fd, "{\"cmd\":\"many\"}\n");
	for (int i = 0; i < 20; i++)
		loop_turn(s.loop, false);
	close(fd);
	for (int i = 0; i < 20; i++)
		loop_turn(s.loop, false);
	ck_assert_uint_eq(control_client_count(s.control), 0);
	scene_close(&s);
}
END_TEST

START_TEST(clients_are_bounded_and_root_has_room)
{
	struct scene s;
	int fds[CONTROL_CLIENTS_MAX];
	size_t n = 0;

	scene_open(&s, NULL);
	while (n < CONTROL_CLIENTS_MAX && (fds[n] = client_open(&s, false)) >= 0)
		n++;
	ck_assert_uint_eq(n, CONTROL_CLIENTS_MAX - CONTROL_CLIENTS_RESERVED);
	while (n < CONTROL_CLIENTS_MAX && (fds[n] = client_open(&s, true)) >= 0)
		n++;
	ck_assert_uint_eq(n, CONTROL_CLIENTS_MAX);
	ck_assert_int_eq(client_open(&s, true), -1);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	scene_close(&s);
}
END_TEST

/* ---- the real socket ---- */

static int dial(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	strcpy(at.sun_path, path);
	if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	close(fd);
	return -1;
}

START_TEST(socket_is_private_and_goes_with_its_owner)
{
	char *dir = scratch_make();
	const char *path = path_in(dir, "sub/control.sock");
	struct control_config cfg = { .path = path, .commands = commands };
	struct scene s;
	struct stat st;
	struct err e = { 0 };
	int fd;

	scene_open(&s, path); /* makes the folder, too */
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	fd = dial(path);
	ck_assert_int_ge(fd, 0);
	say(fd, "{\"cmd\":\"change\",\"id\":5}\n"); /* our own user may everything */
	ck_assert_str_eq(hear(&s, fd), "{\"item\":{\"conn\":\"\",\"id\":5}}");
	/* a second daemon does not steal it */
	ck_assert_ptr_null(control_create(&s.env, s.loop, &cfg, &e));
	ck_assert_int_eq(e.code, GW_EBUSY);
	ck_assert_int_eq(stat(path, &st), 0);
	close(fd);
	scene_close(&s);
	ck_assert_int_ne(stat(path, &st), 0);
	scratch_remove(dir);
}
END_TEST

/* Without a descriptor for who waits the loop does not turn for nothing; when there is one again, he is served. */
START_TEST(no_descriptors_no_spinning)
{
	char *dir = scratch_make();
	const char *path = path_in(dir, "control.sock");
	struct rlimit was, few;
	struct scene s;
	int fd, turns = 0;
	mtime end;

	scene_open(&s, path);
	fd = dial(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = (struct rlimit){ 0, was.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	loop_turn(s.loop, true); /* it tries, once */
	end = mtime_add(clock_now(s.env.clock), MILLISECONDS(200));
	for (; !mtime_reached(end, clock_now(s.env.clock)); turns++)
		loop_turn(s.loop, true);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	ck_assert_int_le(turns, 10);
	ck_assert_uint_eq(control_client_count(s.control), 0);
	while (control_client_count(s.control) == 0)
		loop_turn(s.loop, true);
	close(fd);
	scene_close(&s);
	scratch_remove(dir);
}
END_TEST

START_TEST(leftover_of_a_dead_daemon_is_replaced)
{
	char *dir = scratch_make();
	const char *path = path_in(dir, "control.sock");
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct scene s;

	strcpy(at.sun_path, path);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	close(fd);
	scene_open(&s, path);
	fd = dial(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	scene_close(&s);
	scratch_remove(dir);
}
END_TEST

START_TEST(what_cannot_be_bound_says_why)
{
	char *dir = scratch_make();
	struct control_config cfg = { .path = "/proc/no/such/control.sock", .commands = commands };
	struct scene s;
	struct err e = { 0 };

	scene_open(&s, NULL);
	ck_assert_ptr_null(control_create(&s.env, s.loop, &cfg, &e));
	ck_assert_int_eq(e.code, GW_EIO);
	cfg.path = path_in(dir, "control.sock");
	cfg.group = "no-such-group-here";
	ck_assert_ptr_null(control_create(&s.env, s.loop, &cfg, &e));
	ck_assert_int_eq(e.code, GW_ECONFIG);
	ck_assert_ptr_nonnull(strstr(e.text, "no-such-group-here"));
	ck_assert_int_ne(access(cfg.path, F_OK), 0);
	scene_close(&s);
	scratch_remove(dir);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("control");

	tcase_add_test(tc, question_and_answer);
	tcase_add_test(tc, only_root_changes);
	tcase_add_test(tc, errors_are_told);
	tcase_add_test(tc, long_lines_are_refused_and_survived);
	tcase_add_test(tc, long_listing_waits_for_its_reader);
	tcase_add_test(tc, half_closed_client_gets_all);
	tcase_add_test(tc, reader_that_vanishes_is_forgotten);
	tcase_add_test(tc, clients_are_bounded_and_root_has_room);
	tcase_add_test(tc, socket_is_private_and_goes_with_its_owner);
	tcase_add_test(tc, no_descriptors_no_spinning);
	tcase_add_test(tc, leftover_of_a_dead_daemon_is_replaced);
	tcase_add_test(tc, what_cannot_be_bound_says_why);
	return check_main("control", tc);
}
