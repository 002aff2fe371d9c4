#include "daemon/ctl_show.h"

#include "daemon_check.h"

static const char sas[] =
	"[{\"id\":12,\"conn\":\"road\",\"state\":\"ESTABLISHED\",\"identity\":\"alice@example.org\","
	"\"auth\":\"eap-mschapv2\",\"told_identity\":\"10.0.0.5\","
	"\"local\":{\"addr\":\"198.51.100.2\",\"port\":4500,\"id\":\"gw.example.org\"},"
	"\"remote\":{\"addr\":\"203.0.113.7\",\"port\":61234},\"nat\":{\"peer\":true,\"us\":false},"
	"\"inner\":[\"10.9.0.5\",\"fd09::5\"],\"ike\":{\"proposal\":\"aes256gcm16-prfsha384-x25519\","
	"\"spi_i\":\"0011223344556677\",\"spi_r\":\"8899aabbccddeeff\",\"initiator\":false},\"peer_flags\":["
	"\"fragmentation\"],"
	"\"established\":\"2026-01-02T03:04:05Z\",\"age\":3723,\"rekey_in\":10677,\"expires_in\":null,\"last_seen\":3,"
	"\"children\":[{\"id\":34,\"name\":\"net\",\"state\":\"INSTALLED\",\"mode\":\"tunnel\",\"spi_in\":\"c1234567\","
	"\"spi_out\":\"89abcdef\",\"proposal\":\"aes256gcm16-esn\",\"udp_encap\":true,\"local_ts\":[\"10.0.0.0/8\"],"
	"\"remote_ts\":[\"10.9.0.5\",\"fd09::5\"],\"bytes_in\":12345678,\"bytes_out\":999,\"packets_in\":9812,"
	"\"packets_out\":7,\"age\":61,\"rekey_in\":3539,\"expires_in\":3800,\"last_use\":2,"
	"\"drops\":{\"replay\":1,\"bad_icv\":2,\"bad_policy\":3}}]},"
	"{\"id\":7,\"conn\":null,\"state\":\"HALF_OPEN\",\"identity\":null,\"local\":{\"addr\":\"2001:db8::1\","
	"\"port\":500},"
	"\"remote\":{\"addr\":\"2001:db8::7\",\"port\":500},\"nat\":{\"peer\":false,\"us\":false},\"inner\":[],"
	"\"ike\":{\"proposal\":\"aes128gcm16-prfsha256-ecp256\",\"spi_i\":\"1\",\"spi_r\":\"2\"},\"established\":null,"
	"\"age\":0,\"rekey_in\":null,\"last_seen\":null,\"children\":[]}]";

static char *shown(ctl_show *show, const char *items, bool wide, bool headers)
{
	const struct ctl_style style = { .wide = wide, .headers = headers };
	json_error_t why;
	json_t *j = json_loads(items, 0, &why);
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	ck_assert_msg(j != NULL, "%s", why.text);
	ck_assert(show(j, &style, f));
	fclose(f);
	json_decref(j);
	return text;
}

#define ck_shows(show, items, wide, headers, expected) \
	do { \
		char *text_ = shown(show, items, wide, headers); \
		ck_assert_str_eq(text_, expected); \
		free(text_); \
	} while (0)

START_TEST(list_of_sas)
{
	ck_shows(ctl_show_sas, sas, false, true,
		 "ID  PEER                 REMOTE             NAT  INNER              CONN  STATE        IKE           "
		 "    "
		 "            UP     REKEY IN  SEEN\n"
		 "12  alice@example.org    203.0.113.7:61234  yes  10.9.0.5, fd09::5  road  ESTABLISHED  "
		 "aes256gcm16-prfsha384-x25519  1h 2m  2h 57m    3s ago\n"
		 "    net #34  INSTALLED  ESP in UDP  aes256gcm16-esn  in c1234567  12.3 MB  9812 pkts  out 89abcdef  "
		 "999 B  "
		 "7 pkts  10.0.0.0/8 <> 10.9.0.5, fd09::5  up 1m 1s  rekey in 58m 59s\n"
		 " 7  (not authenticated)  [2001:db8::7]:500  no   -                  -     HALF_OPEN    "
		 "aes128gcm16-prfsha256-ecp256  0s     -         -\n");
	ck_shows(ctl_show_sas, "[]", false, true, "no SAs\n");
	ck_shows(ctl_show_sas, "[]", false, false, "");
}
END_TEST

START_TEST(wide_list_has_it_all)
{
	char *text = shown(ctl_show_sas, sas, true, true);
	static const char *const parts[] = { "LOCAL",
					     "198.51.100.2:4500",
					     "gw.example.org",
					     "0011223344556677",
					     "8899aabbccddeeff",
					     "2026-01-02T03:04:05Z",
					     "fragmentation",
					     "used 2s ago",
					     "expires in 1h 3m",
					     "dropped 1 replayed, 2 forged, 3 misdirected" };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		ck_assert_msg(strstr(text, parts[i]) != NULL, "%s is not in:\n%s", parts[i], text);
	free(text);
}
END_TEST

START_TEST(one_sa)
{
	char *text = shown(ctl_show_sa, sas, false, true);

	static const char expected[] = "IKE SA           #12, ESTABLISHED, connection road\n"
				       "peer             alice@example.org\n"
				       "proved by        eap-mschapv2\n"
				       "its IDi          10.0.0.5\n"
				       "peer at          203.0.113.7:61234\n"
				       "we at            198.51.100.2:4500\n"
				       "our identity     gw.example.org\n"
				       "NAT              yes\n"
				       "inner addresses  10.9.0.5, fd09::5\n"
				       "algorithms       aes256gcm16-prfsha384-x25519\n"
				       "SPIs             0011223344556677_i  8899aabbccddeeff_r*\n";

	ck_assert_msg(strncmp(text, expected, strlen(expected)) == 0, "%s", text);
	ck_assert_ptr_nonnull(strstr(text, "  in             SPI c1234567, 12.3 MB, 9812 packets\n"));
	ck_assert_ptr_nonnull(strstr(text, "  peer's side    10.9.0.5, fd09::5\n"));
	free(text);
}
END_TEST

START_TEST(pools)
{
	ck_shows(ctl_show_pools,
		 "[{\"name\":\"v4\",\"addresses\":\"10.9.0.1-10.9.0.254\",\"prefix_len\":24,\"dns\":[\"10.1.0.1\",\"10."
		 "1.0.2\"],"
		 "\"size\":254,\"used\":127,\"kept\":3,\"lease_time\":28800},"
		 "{\"name\":\"v6\",\"addresses\":\"fd09::/64\",\"prefix_len\":64,\"dns\":[],\"size\":9007199254740992,"
		 "\"used\":0,\"kept\":0,\"lease_time\":0}]",
		 false, true,
		 "NAME  ADDRESSES            SIZE  USED  KEPT  IN USE  LEASE  DNS\n"
		 "v4    10.9.0.1-10.9.0.254   254   127     3  50.0 %  8h 0m  10.1.0.1, 10.1.0.2\n"
		 "v6    fd09::/64            many     0     0   0.0 %  0s     -\n");
	ck_shows(ctl_show_pools, "[]", false, true, "no pools are configured\n");
}
END_TEST

START_TEST(leases)
{
	ck_shows(ctl_show_leases,
		 "[{\"pool\":\"v4\",\"addr\":\"10.9.0.1\",\"identity\":\"alice\",\"state\":\"used\",\"holders\":1,"
		 "\"expires_in\":null},"
		 "{\"pool\":\"v4\",\"addr\":\"10.9.0.2\",\"identity\":\"bob\",\"state\":\"kept\",\"holders\":0,"
		 "\"expires_in\":90}]",
		 false, true,
		 "POOL  ADDRESS   IDENTITY  STATE  KEPT FOR\n"
		 "v4    10.9.0.1  alice     used   -\n"
		 "v4    10.9.0.2  bob       kept   1m 30s\n");
}
END_TEST

START_TEST(conns)
{
	ck_shows(ctl_show_conns,
		 "[{\"name\":\"road\",\"auth\":\"psk\",\"local_id\":\"gw\",\"remote_ids\":[],\"pools\":[\"v4\"],"
		 "\"proposals\":[\"p1\"],"
		 "\"sas\":{\"ike\":2,\"child\":3},\"children\":[{\"name\":\"lan\",\"local_ts\":[\"10.0.0.0/"
		 "8\"],\"remote_ts\":[],"
		 "\"proposals\":[\"e1\"]}]}]",
		 false, true,
		 "NAME  LOCAL ID  REMOTE IDS  AUTH  POOLS  IKE SAS  CHILD SAS\n"
		 "road  gw        any         psk   v4           2          3\n"
		 "    lan  10.0.0.0/8 <> dynamic\n");
}
END_TEST

START_TEST(stats)
{
	static const char items[] =
		"[{\"version\":\"1.2\",\"uptime\":100,\"sas\":{\"ike\":1,\"half_open\":2,\"child\":3},"
		"\"ike\":{\"init_requests\":12,\"drop_bad_icv\":0},\"daemon\":{\"send_busy\":0},"
		"\"dataplane\":{\"name\":\"userspace\",\"why\":\"auto\",\"counters\":{\"in_packets\":1234}}}]";

	ck_shows(ctl_show_stats, items, false, true,
		 "gatewayd 1.2, up 1m 40s\nSAs: 1 IKE, 2 half-open, 3 CHILD\ndata plane: userspace (auto)\n"
		 "IKE:\n      12  init_requests\ndaemon:\nESP:\n    1234  in_packets\n");
	ck_shows(ctl_show_stats, items, true, true,
		 "gatewayd 1.2, up 1m 40s\nSAs: 1 IKE, 2 half-open, 3 CHILD\ndata plane: userspace (auto)\n"
		 "IKE:\n      12  init_requests\n       0  drop_bad_icv\ndaemon:\n       0  send_busy\nESP:\n"
		 "    1234  in_packets\n");
}
END_TEST

/* A newer or older daemon may leave fields out or change their type: never a crash. */
START_TEST(strange_answers_are_survived)
{
	static ctl_show *const all[] = { ctl_show_sas,	 ctl_show_sa,	  ctl_show_conns,
					 ctl_show_pools, ctl_show_leases, ctl_show_version,
					 ctl_show_level, ctl_show_reload, ctl_show_stats };
	static const char *const strange[] = { "[]", "[{}]", "[[]]",
					       "[{\"children\":[{}],\"inner\":[7,null],\"remote\":3}]",
					       "[{\"id\":\"x\",\"children\":7,\"nat\":null,\"size\":\"y\"}]" };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		for (size_t k = 0; k < ARRAY_LEN(strange); k++)
			free(shown(all[i], strange[k], true, true));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("ctl_show");

	tcase_add_test(tc, list_of_sas);
	tcase_add_test(tc, wide_list_has_it_all);
	tcase_add_test(tc, one_sa);
	tcase_add_test(tc, pools);
	tcase_add_test(tc, leases);
	tcase_add_test(tc, conns);
	tcase_add_test(tc, stats);
	tcase_add_test(tc, strange_answers_are_survived);
	return check_main("ctl_show", tc);
}
