#include "daemon/sdnotify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "daemon_check.h"

static int listen_at(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(at.sun_path, path);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void forget(void)
{
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

START_TEST(systemd_hears)
{
	char *dir = scratch_make(), pid[16], got[64] = "";
	const char *path = path_in(dir, "notify");
	int fd = listen_at(path);
	struct sdnotify n;

	(void)snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("NOTIFY_SOCKET", path, 1);
	setenv("WATCHDOG_USEC", "30000000", 1);
	setenv("WATCHDOG_PID", pid, 1);
	sdnotify_open(&n);
	ck_assert_int_ge(n.fd, 0);
	ck_assert_int_eq(n.watchdog_us, 30000000);
	sdnotify_send(&n, "READY=1");
	ck_assert_int_eq(recv(fd, got, sizeof(got) - 1, 0), 7);
	ck_assert_str_eq(got, "READY=1");
	/* nobody reads any more: never blocks, never fails */
	for (int i = 0; i < 10000; i++)
		sdnotify_send(&n, "WATCHDOG=1");
	close(fd);
	sdnotify_send(&n, "STOPPING=1");
	sdnotify_close(&n);
	ck_assert_int_eq(n.fd, -1);
	forget();
	scratch_remove(dir);
}
END_TEST

START_TEST(watchdog_of_another_process_is_not_ours)
{
	char *dir = scratch_make();
	const char *path = path_in(dir, "notify");
	int fd = listen_at(path);
	struct sdnotify n;

	setenv("NOTIFY_SOCKET", path, 1);
	setenv("WATCHDOG_USEC", "30000000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	sdnotify_open(&n);
	ck_assert_int_eq(n.watchdog_us, 0);
	sdnotify_close(&n);
	unsetenv("WATCHDOG_PID");
	setenv("WATCHDOG_USEC", "soon", 1);
	sdnotify_open(&n);
	ck_assert_int_eq(n.watchdog_us, 0);
	sdnotify_close(&n);
	forget();
	close(fd);
	scratch_remove(dir);
}
END_TEST

START_TEST(without_systemd_nothing_happens)
{
	static const char *const paths[] = { NULL, "", "/", "relative", "/nonexistent/notify", "@" };

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct sdnotify n;

		forget();
		if (paths[i])
			setenv("NOTIFY_SOCKET", paths[i], 1);
		sdnotify_open(&n);
		ck_assert_int_eq(n.fd, -1);
		sdnotify_send(&n, "READY=1");
		sdnotify_close(&n);
	}
	forget();
}
END_TEST

START_TEST(journal_only_when_stderr_is_it)
{
	struct stat st;
	char stream[64];

	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	(void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		       (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	ck_assert(sdnotify_journal());
	(void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		       (unsigned long long)st.st_ino + 1);
	setenv("JOURNAL_STREAM", stream, 1);
	ck_assert(!sdnotify_journal());
	unsetenv("JOURNAL_STREAM");
	ck_assert(!sdnotify_journal());
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("sdnotify");

	tcase_add_test(tc, systemd_hears);
	tcase_add_test(tc, watchdog_of_another_process_is_not_ours);
	tcase_add_test(tc, without_systemd_nothing_happens);
	tcase_add_test(tc, journal_only_when_stderr_is_it);
	return check_main("sdnotify", tc);
}
