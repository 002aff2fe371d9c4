/* Fault points, in builds that have them. */
#include "daemon/fault.h"

#include <signal.h>
#include <sys/wait.h>

#include "daemon_check.h"

#ifdef GW_FAULTS

static bool arm(const char *text)
{
	ck_assert_int_eq(setenv("GATEWAY_FAULT", text, 1), 0);
	return fault_init();
}

START_TEST(fires_once_at_its_count)
{
	ck_assert(arm("acknowledged/IKE_AUTH:2:drop,applied:1:delay=1"));
	ck_assert(!fault_at(FAULT_ACKNOWLEDGED, 35));
	ck_assert(!fault_at(FAULT_ACKNOWLEDGED, 34)); /* another exchange does not count */
	ck_assert(!fault_at(FAULT_SENT, 35));	      /* nor another place */
	ck_assert(fault_wanted(FAULT_ACKNOWLEDGED));
	ck_assert(fault_at(FAULT_ACKNOWLEDGED, 35));
	ck_assert(!fault_wanted(FAULT_ACKNOWLEDGED));
	ck_assert(!fault_at(FAULT_ACKNOWLEDGED, 35));
	ck_assert(!fault_at(FAULT_APPLIED, 0)); /* a delay loses nothing */
}
END_TEST

START_TEST(without_an_exchange_all_count)
{
	ck_assert(arm("sent:2:drop"));
	ck_assert(!fault_at(FAULT_SENT, 34));
	ck_assert(fault_at(FAULT_SENT, 37));
}
END_TEST

START_TEST(a_kind_of_message_counts_alone)
{
	enum { NEW = 1 << 8 | 36, RENEWED = 2 << 8 | 36 }; /* enum ike_about */

	ck_assert(arm("sent/REKEY_CHILD:1:drop,acknowledged/CREATE_CHILD_SA:2:drop"));
	ck_assert(!fault_at(FAULT_SENT, NEW));
	ck_assert(!fault_at(FAULT_SENT, 36)); /* nobody knows which */
	ck_assert(fault_at(FAULT_SENT, RENEWED));
	/* The exchange's name stands for all of them. */
	ck_assert(!fault_at(FAULT_ACKNOWLEDGED, NEW));
	ck_assert(fault_at(FAULT_ACKNOWLEDGED, 36));
}
END_TEST

/* As the daemon under its parent: what one process has counted the next one does not begin anew. */
START_TEST(counts_over_restarts)
{
	ck_assert(arm("promoted:2:kill"));
	for (int life = 1; life <= 3; life++) {
		int status = 0;
		pid_t pid = fork();

		if (pid == 0) {
			(void)fault_at(FAULT_PROMOTED, 0);
			_exit(7);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		if (life == 2)
			ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		else
			ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	}
}
END_TEST

START_TEST(a_node_of_the_former_format)
{
	ck_assert(arm("applied:1:drop"));
	ck_assert(!fault_former());
	ck_assert(arm("former-format,applied:1:drop"));
	ck_assert(fault_former());
	ck_assert(fault_at(FAULT_APPLIED, 0));
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
	static const char *const bad[] = { "sent",	     "sent:1",
					   "sent:0:kill",    "sent/NO_SUCH:1:kill",
					   "nowhere:1:kill", "claimed/IKE_AUTH:1:kill",
					   "sent:x:kill",    "sent:1:burn",
					   "sent:1:kill=3",  "sent:1:delay=0",
					   "sent:1:kill," };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!arm(bad[i]), "%s", bad[i]);
	ck_assert(arm(""));
}
END_TEST

/* Every name that is listed can be given. */
START_TEST(all_that_is_listed_is_known)
{
	char *text = NULL, *rest, *line, fault[128];
	size_t n = 0, names = 0;
	FILE *f = open_memstream(&text, &n);

	ck_assert(fault_list(f));
	ck_assert_int_eq(fclose(f), 0);
	rest = text;
	while ((line = strsep(&rest, "\n")) != NULL && *line) {
		(void)snprintf(fault, sizeof(fault), "%s:1:stop", line);
		ck_assert_msg(arm(fault), "%s", line);
		names++;
	}
	ck_assert_uint_eq(names, FAULT_BY_EXCHANGE * 7 + (FAULT_PLACES - FAULT_BY_EXCHANGE));
	free(text);
}
END_TEST

static void add_all(TCase *tc)
{
	tcase_add_test(tc, fires_once_at_its_count);
	tcase_add_test(tc, without_an_exchange_all_count);
	tcase_add_test(tc, a_kind_of_message_counts_alone);
	tcase_add_test(tc, counts_over_restarts);
	tcase_add_test(tc, a_node_of_the_former_format);
	tcase_add_test(tc, what_makes_no_sense_is_refused);
	tcase_add_test(tc, all_that_is_listed_is_known);
}

#else

START_TEST(a_release_has_none)
{
	ck_assert(!fault_list(stderr));
	ck_assert(!fault_at(FAULT_SENT, 35));
}
END_TEST

static void add_all(TCase *tc)
{
	tcase_add_test(tc, a_release_has_none);
}

#endif

int main(void)
{
	TCase *tc = tcase_create("fault");

	add_all(tc);
	return check_main("fault", tc);
}
