#include "tests/config/scene.h"

#include <sys/stat.h>
#include <unistd.h>

START_TEST(the_smallest_file)
{
	struct settings *s = scene_good(ROAD);
	const struct conn_cfg *c = &s->conns[0];
	const struct child_cfg *child = &c->children[0];
	char buf[PROPOSAL_TEXT], sel[SELECTOR_TEXT];

	ck_assert_uint_eq(s->refs, 1);
	ck_assert_str_eq(s->file, "f");
	ck_assert_str_eq(s->node, "node0");
	ck_assert_uint_eq(s->node_index, 0);
	ck_assert_str_eq(s->state_dir, "/var/lib/gateway");
	ck_assert_int_eq(s->shutdown, SHUTDOWN_DELETE);
	ck_assert_int_eq(s->dataplane, DATAPLANE_AUTO);
	ck_assert_uint_eq(s->mss_clamp, MSS_CLAMP_AUTO);
	ck_assert(!s->allow_fake_plane);
	ck_assert_uint_eq(s->listen_count, 0);
	ck_assert_uint_eq(s->port, 500);
	ck_assert_uint_eq(s->port_natt, 4500);
	ck_assert_str_eq(s->tun_name, "gw0");
	ck_assert_uint_eq(s->tun_mtu, 1400);
	ck_assert(s->raw_esp);
	ck_assert_str_eq(s->control_socket, "/run/gateway/control.sock");
	ck_assert_ptr_null(s->control_group);
	ck_assert_int_eq(s->log_level, LOG_LVL_INFO);
	ck_assert_int_eq(s->log_format, LOG_TEXT);
	ck_assert(s->log_auto);

	ck_assert_uint_eq(s->ike.cookie_threshold, 64);
	ck_assert_uint_eq(s->ike.half_open_max, 10000);
	ck_assert_uint_eq(s->ike.half_open_per_source, 32);
	ck_assert_int_eq(s->ike.half_open_timeout_us, SECONDS(30));
	ck_assert_uint_eq(s->ike.sa_max, 200000);
	ck_assert(s->ike.fragmentation);
	ck_assert_uint_eq(s->ike.fragment_size, 1280);
	ck_assert(s->ike.vendor_id);
	ck_assert_int_eq(s->ike.retransmit_us, SECONDS(2));
	ck_assert_uint_eq(s->ike.retransmit_tries, 5);

	ck_assert_uint_eq(s->pool_count, 0);
	ck_assert_uint_eq(s->conn_count, 1);
	ck_assert_str_eq(c->name, "road");
	ck_assert_uint_eq(c->local_addr_count + c->remote_addr_count + c->remote_id_count + c->pool_count, 0);
	ck_assert_int_eq(c->local_id.kind, ID_NONE);
	ck_assert(bytes_equal(secret_bytes(&c->psk), bytes_str("correct horse")));
	ck_assert_uint_eq(c->proposal_count, 2);
	ck_assert_str_eq(proposal_text(&c->proposals[0], buf), "aes256gcm16-aes128gcm16-chacha20poly1305-prfsha384-"
							       "prfsha256-x25519-ecp256-ecp384-modp3072-modp2048");
	ck_assert_str_eq(
		proposal_text(&c->proposals[1], buf),
		"aes256-aes128-sha256-sha384-sha512-prfsha256-prfsha384-prfsha512-x25519-ecp256-ecp384-modp3072-"
		"modp2048");
	ck_assert_int_eq(c->rekey_us, SECONDS(4 * 3600));
	ck_assert_int_eq(c->life_us, SECONDS(4 * 3600 + 24 * 60));
	ck_assert_uint_eq(c->rekey_jitter_percent, 10);
	ck_assert_int_eq(c->dpd_us, SECONDS(30));
	ck_assert(c->mobike && c->childless);
	ck_assert_int_eq(c->unique.policy, UNIQUE_REPLACE);
	ck_assert_int_eq(c->rekey_by, REKEY_AUTO);
	ck_assert_int_eq(c->reauth_us, 0);
	ck_assert_uint_eq(c->compat, 0);

	ck_assert_uint_eq(c->child_count, 1);
	ck_assert_str_eq(child->name, "lan");
	ck_assert_uint_eq(child->local_count, 1);
	ck_assert_str_eq(selector_text(&child->local[0], sel), "192.168.1.0/24");
	ck_assert_uint_eq(child->remote_count, 0);
	ck_assert_uint_eq(child->proposal_count, 2);
	ck_assert_str_eq(
		proposal_text(&child->proposals[0], buf),
		"aes256gcm16-aes128gcm16-chacha20poly1305-x25519-ecp256-ecp384-modp3072-modp2048-none-esn-noesn");
	ck_assert_str_eq(proposal_text(&child->proposals[1], buf),
			 "aes256-aes128-sha256-sha512-x25519-ecp256-ecp384-modp3072-modp2048-none-esn-noesn");
	ck_assert_int_eq(child->rekey_us, SECONDS(3600));
	ck_assert_int_eq(child->life_us, SECONDS(3960));
	ck_assert_uint_eq(child->replay_window, 1024);
	ck_assert(child->copy_dscp && child->copy_df);
	ck_assert_int_eq(child->pfs, PFS_OPTIONAL);
	ck_assert_int_eq(child->mode, CHILD_MODE_TUNNEL);
	ck_assert_uint_eq(child->rekey_bytes + child->rekey_packets, 0);
	ck_assert_int_eq(child->inactivity_us, 0);
	ck_assert(!child->single_pair);
	settings_unref(s);
}
END_TEST

START_TEST(everything_set)
{
	struct settings *s =
		scene_good("connections:\n" /* before the pools that it names */
			   "  a:\n"
			   "    local_addresses: [192.0.2.1, 198.51.100.0/24]\n"
			   "    remote_addresses: [203.0.113.1-203.0.113.9]\n"
			   "    local: {id: gw@example.org}\n"
			   "    remote: {ids: ['*@example.org', bob, '*']}\n"
			   "    psk: {env: PSK}\n"
			   "    proposals: aes256gcm16-prfsha384-x25519\n"
			   "    pools: [v6, v4]\n"
			   "    rekey: 0\n"
			   "    jitter: 0%\n"
			   "    dpd: off\n"
			   "    children:\n"
			   "      x: {local: [10.0.0.0/8], remote: [10.7.0.0/24, '10.8.0.1[udp/53]'],\n"
			   "          proposals: [aes128gcm16-esn], rekey: never, life: 1d12h, replay_window: 64,\n"
			   "          copy_dscp: false, copy_df: false}\n"
			   "      y: {local: 'fd00::/8'}\n"
			   "pools:\n"
			   "  v4: {addresses: 10.9.0.0/24, dns: [10.9.0.1, 'fd00::1'], lease_time: 0}\n"
			   "  v6: {addresses: 'fd00:9::/64'}\n"
			   "node: b\n"
			   "node_index: 15\n"
			   "state_dir: /s\n"
			   "shutdown: silent\n"
			   "dataplane: userspace\n"
			   "mss_clamp: 1200\n"
			   "listen: {addresses: [192.0.2.1, 198.51.100.7], port: 1500, port_natt: 14500}\n"
			   "userspace: {device: tun-x.1, mtu: auto, raw_esp: false}\n"
			   "control: {socket: /c, group: wheel}\n"
			   "log: {level: debug, format: json}\n"
			   "ike:\n"
			   "  cookie_threshold: 0\n"
			   "  half_open_max: 5000000\n"
			   "  half_open_per_source: 5000000\n"
			   "  half_open_timeout: 1500ms\n"
			   "  sa_max: 1000000\n"
			   "  fragmentation: false\n"
			   "  fragment_size: 576\n"
			   "  vendor_id: false\n"
			   "  retransmit: {first: 500ms, tries: 3}\n");
	const struct conn_cfg *c = &s->conns[0];
	char buf[SELECTOR_TEXT];

	ck_assert_str_eq(s->node, "b");
	ck_assert_uint_eq(s->node_index, 15);
	ck_assert_str_eq(s->state_dir, "/s");
	ck_assert_int_eq(s->shutdown, SHUTDOWN_SILENT);
	ck_assert_int_eq(s->dataplane, DATAPLANE_USERSPACE);
	ck_assert_uint_eq(s->mss_clamp, 1200);
	ck_assert_uint_eq(s->listen_count, 2);
	ck_assert_str_eq(addr_text(&s->listen[1], buf), "198.51.100.7");
	ck_assert_uint_eq(s->port, 1500);
	ck_assert_uint_eq(s->port_natt, 14500);
	ck_assert_str_eq(s->tun_name, "tun-x.1");
	ck_assert_uint_eq(s->tun_mtu, 0);
	ck_assert(!s->raw_esp);
	ck_assert_str_eq(s->control_socket, "/c");
	ck_assert_str_eq(s->control_group, "wheel");
	ck_assert_int_eq(s->log_level, LOG_LVL_DEBUG);
	ck_assert_int_eq(s->log_format, LOG_JSON);
	ck_assert(!s->log_auto);
	ck_assert_uint_eq(s->ike.cookie_threshold, 0);
	ck_assert_uint_eq(s->ike.half_open_max, 5000000);
	ck_assert_uint_eq(s->ike.half_open_per_source, 5000000);
	ck_assert_int_eq(s->ike.half_open_timeout_us, MILLISECONDS(1500));
	ck_assert_uint_eq(s->ike.sa_max, 1000000);
	ck_assert(!s->ike.fragmentation);
	ck_assert_uint_eq(s->ike.fragment_size, 576);
	ck_assert(!s->ike.vendor_id);
	ck_assert_int_eq(s->ike.retransmit_us, MILLISECONDS(500));
	ck_assert_uint_eq(s->ike.retransmit_tries, 3);

	ck_assert_uint_eq(s->pool_count, 2);
	ck_assert_uint_eq(s->pools[0].dns_count, 2);
	ck_assert_str_eq(addr_text(&s->pools[0].dns[1], buf), "fd00::1");
	ck_assert_int_eq(s->pools[0].lease_time_us, 0);
	ck_assert_int_eq(s->pools[1].lease_time_us, SECONDS(8 * 3600));

	ck_assert_uint_eq(c->local_addr_count, 2);
	ck_assert_str_eq(range_text(&c->local_addrs[1], buf), "198.51.100.0/24");
	ck_assert_uint_eq(c->remote_addr_count, 1);
	ck_assert_str_eq(range_text(&c->remote_addrs[0], buf), "203.0.113.1-203.0.113.9");
	ck_assert_int_eq(c->local_id.kind, ID_RFC822);
	ck_assert_uint_eq(c->remote_id_count, 3);
	ck_assert(c->remote_ids[0].pattern);
	ck_assert_int_eq(c->remote_ids[1].kind, ID_FQDN);
	ck_assert_int_eq(c->remote_ids[2].kind, ID_NONE);
	ck_assert_uint_eq(c->proposal_count, 1);
	ck_assert_uint_eq(c->pool_count, 2);
	ck_assert_ptr_eq(c->pools[0], &s->pools[1]);
	ck_assert_ptr_eq(c->pools[1], &s->pools[0]);
	ck_assert_int_eq(c->rekey_us, 0);
	ck_assert_int_eq(c->life_us, 0);
	ck_assert_uint_eq(c->rekey_jitter_percent, 0);
	ck_assert_int_eq(c->dpd_us, 0);
	ck_assert_uint_eq(c->child_count, 2);
	ck_assert_uint_eq(c->children[0].remote_count, 2);
	ck_assert_str_eq(selector_text(&c->children[0].remote[1], buf), "10.8.0.1[udp/53]");
	ck_assert_uint_eq(c->children[0].proposal_count, 1);
	ck_assert_int_eq(c->children[0].rekey_us, 0);
	ck_assert_int_eq(c->children[0].life_us, SECONDS(36 * 3600));
	ck_assert_uint_eq(c->children[0].replay_window, 64);
	ck_assert(!c->children[0].copy_dscp && !c->children[0].copy_df);
	ck_assert_str_eq(c->children[1].name, "y");
	settings_unref(s);
}
END_TEST

START_TEST(all_errors_at_once)
{
	expect_problems("nod: a\n"
			"node_index: 016\n"
			"log: {levle: info, level: infos}\n"
			"listen: {addresses: [1.2.3.4, zz], port: 4500}\n"
			"pools:\n"
			"  a: {addresses: 10.9.0.1/24}\n"
			"  c: {addresses: 10.8.0.128/25, dns: [1.1.1]}\n"
			"connections:\n"
			"  x:\n"
			"    psk: correct horse\n"
			"    psk: again\n"
			"    pools: [cc, a]\n"
			"    rekey: 4x\n"
			"    proposal: aes256-sha256-modp1024\n"
			"    children:\n"
			"      lan: {local: [10.0.0.1/8, '1.2.3.4[tcp/99999]'], life: 30m, proposals: aes256gcm17}\n"
			"  y: {}\n",
			"f:1:1: error: unknown key `nod`; did you mean `node`?\n"
			"f:2:13: error: `node_index` wants a number, not `016`\n"
			"f:3:7: error: unknown key `levle`; did you mean `level`?\n"
			"f:3:27: error: `level` is one of: error, warn, notice, info, debug; not `infos`; did you mean "
			"`info`?\n"
			"f:4:1: error: `port` and `port_natt` are the same\n"
			"f:4:31: error: `addresses` wants an IPv4 or IPv6 address, not `zz`\n"
			"f:6:18: error: `addresses`: `10.9.0.1/24` has host bits set; the network is 10.9.0.0/24\n"
			"f:7:3: warning: no connection uses pool `c`\n"
			"f:7:39: error: `dns` wants an IPv4 or IPv6 address, not `1.1.1`\n"
			"f:11:5: error: `psk` is there twice, first in line 10\n"
			"f:12:13: error: `pools`: there is no pool `cc`; did you mean `c`?\n"
			"f:13:12: error: `rekey` wants a duration such as 500ms, 30s, 5m, 8h or 1d, not `4x`\n"
			"f:14:5: error: unknown key `proposal`; did you mean `proposals`?\n"
			"f:16:21: error: `local`: `10.0.0.1/8` has host bits set; the network is 10.0.0.0/8\n"
			"f:16:33: error: `local` wants [protocol], [protocol/port] or [protocol/port-port] behind the "
			"addresses, not `1.2.3.4[tcp/99999]`\n"
			"f:16:62: error: `life` (30m) must be longer than `rekey` (1h)\n"
			"f:16:78: error: `proposals`: unknown algorithm `aes256gcm17`; did you mean `aes256gcm16`?\n"
			"f:17:3: error: `psk` is missing in `y`\n"
			"f:17:3: warning: connection `y` has no children: clients get no tunnel\n");
}
END_TEST

START_TEST(wrong_shapes)
{
	expect_problems("", "f: error: is empty\n");
	expect_problems("hello\n", "f:1:1: error: the file is made of `key: value` lines\n");
	expect_problems("- a\n", "f:1:1: error: the file is made of `key: value` lines\n");
	expect_problems("listen: 1.2.3.4\n" ROAD, "f:1:9: error: `listen` wants a section, not a value\n");
	expect_problems("listen: [1]\n" ROAD, "f:1:9: error: `listen` wants a section, not a list\n");
	expect_problems("node: [a]\n" ROAD, "f:1:7: error: `node` is of type name, not a list\n");
	expect_problems("node: {a: 1}\n" ROAD, "f:1:7: error: `node` is of type name, not a section\n");
	expect_problems("node:\n" ROAD, "f:1:6: error: `node` has no value\n");
	expect_problems("node: ~\n" ROAD, "f:1:7: error: `node` has no value\n");
	expect_problems("listen: {addresses: {a: 1}}\n" ROAD,
			"f:1:21: error: `addresses` is of type address, not a section\n");
	expect_problems("listen: {addresses: [[1.2.3.4]]}\n" ROAD,
			"f:1:22: error: `addresses` is of type address, not a list\n");
	expect_problems("listen: {addresses: [any, 1.2.3.4]}\n" ROAD,
			"f:1:22: error: `any` cannot stand beside other items\n");
	expect_problems("listen: {addresses: []}\n" ROAD, "f:1:21: error: `addresses` is empty\n");
	expect_problems("listen: {addresses: [~]}\n" ROAD, "f:1:22: error: `addresses` has no value\n");
	expect_problems("pools: [a]\n" ROAD,
			"f:1:8: error: `pools` wants names, each with a section of its own, not a list\n");
	expect_problems("pools: {a: 10.0.0.0/8}\n" ROAD, "f:1:9: warning: no connection uses pool `a`\n"
							 "f:1:12: error: `a` wants a section, not a value\n");
	expect_problems("pools: {a: }\n" ROAD, "f:1:9: error: `addresses` is missing in `a`\n"
					       "f:1:9: warning: no connection uses pool `a`\n");
	expect_problems("pools: {'a b': {addresses: 10.0.0.0/24}}\n" ROAD,
			"f:1:9: error: names in `pools` are 1 to 63 letters, digits, dots, dashes and underscores\n"
			"f:1:9: warning: no connection uses pool `a b`\n");
	/* Sections that are empty because what was in them is commented out. */
	expect_problems("pools:\nlisten:\nlog: {}\nike: ~\n" ROAD, "");
	expect_problems("node: a\n", "f: warning: no connections: nobody can connect\n");
	expect_problems("connections:\n", "f:1:13: warning: no connections: nobody can connect\n");
}
END_TEST

START_TEST(relative_paths)
{
	struct config_report r;
	struct settings *s = scene_load("/etc/gw/gateway.yaml", "state_dir: state\ncontrol: {socket: /c}\n" ROAD, &r);

	ck_assert_str_eq(s->state_dir, "/etc/gw/state");
	ck_assert_str_eq(s->control_socket, "/c");
	settings_unref(s);
	config_report_clear(&r);
}
END_TEST

START_TEST(pools)
{
	static const struct row {
		const char *in, *lo, *hi;
		uint8_t len;
	} rows[] = {
		{ "10.9.0.0/24", "10.9.0.1", "10.9.0.254", 24 },
		{ "10.9.0.0/30", "10.9.0.1", "10.9.0.2", 30 },
		{ "10.9.0.0/31", "10.9.0.0", "10.9.0.1", 31 },
		{ "10.9.0.5/32", "10.9.0.5", "10.9.0.5", 32 },
		{ "10.9.0.5", "10.9.0.5", "10.9.0.5", 32 },
		{ "10.0.0.0/8", "10.0.0.1", "10.255.255.254", 8 },
		{ "10.9.0.10-10.9.0.99", "10.9.0.10", "10.9.0.99", 25 },
		/* Written as a range: taken as it is. */
		{ "10.9.0.0-10.9.0.255", "10.9.0.0", "10.9.0.255", 24 },
		{ "10.9.0.255-10.9.1.0", "10.9.0.255", "10.9.1.0", 23 },
		{ "fd00:9::/64", "fd00:9::1", "fd00:9::ffff:ffff:ffff:ffff", 64 },
		{ "fd00:9::/126", "fd00:9::1", "fd00:9::3", 126 },
		{ "fd00:9::/127", "fd00:9::", "fd00:9::1", 127 },
		{ "fd00:9::7/128", "fd00:9::7", "fd00:9::7", 128 },
		{ "fd00:9::10-fd00:9::1f", "fd00:9::10", "fd00:9::1f", 124 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char yaml[512], buf[ADDR_TEXT];
		struct settings *s;

		(void)snprintf(yaml, sizeof(yaml), "pools: {p: {addresses: '%s'}}\n" ROAD "    pools: p\n", rows[i].in);
		s = scene_good(yaml);
		ck_assert_str_eq(addr_text(&s->pools[0].addresses.lo, buf), rows[i].lo);
		ck_assert_str_eq(addr_text(&s->pools[0].addresses.hi, buf), rows[i].hi);
		ck_assert_uint_eq(s->pools[0].prefix_len, rows[i].len);
		settings_unref(s);
	}
#define POOL(text, says) \
	expect_problems("pools: {p: {addresses: '" text "'}}\n" ROAD "    pools: p\n", "f:1:24: error: " says "\n")
	POOL("10.9.0.1/24", "`addresses`: `10.9.0.1/24` has host bits set; the network is 10.9.0.0/24");
	POOL("fd00:9::1/64", "`addresses`: `fd00:9::1/64` has host bits set; the network is fd00:9::/64");
	POOL("10.9.0.0/33", "`addresses` wants a network or a range, not `10.9.0.0/33`");
	POOL("10.9.0.9-10.9.0.1", "`addresses` wants a network or a range, not `10.9.0.9-10.9.0.1`");
	POOL("0.0.0.0/0", "`addresses` wants addresses that a host can have, not `0.0.0.0/0`");
	POOL("224.0.0.0/24", "`addresses` wants addresses that a host can have, not `224.0.0.0/24`");
	POOL("ff02::/64", "`addresses` wants addresses that a host can have, not `ff02::/64`");
	POOL("", "`addresses` wants a network or a range, not ``");
#undef POOL
}
END_TEST

START_TEST(too_many)
{
	char *yaml = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&yaml, &n);
	struct config_report r;

	(void)fputs(ROAD "    pools: [a", f);
	for (int i = 0; i < 300; i++)
		(void)fputs(", a", f);
	(void)fputs("]\nlisten: {addresses: [", f);
	for (int i = 0; i < 300; i++)
		(void)fprintf(f, "x%d, ", i);
	(void)fputs("y]}\n", f);
	(void)fclose(f);
	expect_problems(yaml, "f:7:12: error: `pools` has 301 items, at most 64 are allowed\n"
			      "f:8:21: error: `addresses` has 301 items, at most 64 are allowed\n");
	free(yaml);

	f = open_memstream(&yaml, &n);
	for (int i = 0; i < 500; i++)
		(void)fprintf(f, "x%d: 1\n", i);
	(void)fclose(f);
	ck_assert_ptr_null(scene_load("f", yaml, &r));
	ck_assert_uint_eq(r.errors, 500);
	ck_assert_uint_eq(r.count, 201);
	ck_assert_uint_eq(r.items[0].line, 1);
	ck_assert_str_eq(r.items[200].text, "too many problems, the rest is not shown");
	config_report_clear(&r);
	free(yaml);
}
END_TEST

START_TEST(files)
{
	char path[] = "/tmp/gwconfXXXXXX", line[256];
	int fd = mkstemp(path);
	struct config_report r;
	struct settings *s;

	ck_assert_int_eq(write(fd, ROAD, sizeof(ROAD) - 1), sizeof(ROAD) - 1);
	ck_assert_int_eq(close(fd), 0);
	s = config_load_file(path, NULL, &r);
	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(r.count, 0);
	ck_assert_str_eq(s->file, path);
	settings_unref(s);
	config_report_clear(&r);

	ck_assert_int_eq(truncate(path, 0), 0);
	ck_assert_ptr_null(config_load_file(path, NULL, &r));
	ck_assert_str_eq(r.items[0].text, "is empty");
	config_report_clear(&r);
	ck_assert_int_eq(truncate(path, (4 << 20) + 1), 0);
	ck_assert_ptr_null(config_load_file(path, NULL, &r));
	ck_assert_str_eq(r.items[0].text, "larger than 4194304 octets");
	config_report_clear(&r);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_ptr_null(config_load_file(path, NULL, &r));
	ck_assert_ptr_nonnull(strstr(config_problem_text(&r, 0, line, sizeof(line)), ": error: No such file"));
	config_report_clear(&r);
	ck_assert_ptr_null(config_load_file("/tmp", NULL, &r));
	ck_assert_str_eq(r.items[0].text, "is not a plain file");
	config_report_clear(&r);
}
END_TEST

START_TEST(references)
{
	struct settings *s = scene_good(ROAD);

	ck_assert_ptr_eq(settings_ref(s), s);
	ck_assert_uint_eq(s->refs, 2);
	settings_unref(s);
	ck_assert_str_eq(s->conns[0].name, "road");
	settings_unref(s);
	settings_unref(NULL);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("load");

	tcase_add_test(t, the_smallest_file);
	tcase_add_test(t, everything_set);
	tcase_add_test(t, all_errors_at_once);
	tcase_add_test(t, wrong_shapes);
	tcase_add_test(t, relative_paths);
	tcase_add_test(t, pools);
	tcase_add_test(t, too_many);
	tcase_add_test(t, files);
	tcase_add_test(t, references);
	return check_main("load", t);
}
