/*
 * One client of our own for namespaces: the tests' initiator for IKE, the userspace plane for packets. It measures a
 * gateway without strongSwan's plane at the other end, and is no product: it has one CHILD SA and never rekeys.
 *
 *	esp_client LOCAL REMOTE IDENTITY PSKFILE REMOTE-NETWORK [ESP-PROPOSAL]
 *
 * Prints `up DEVICE ADDRESS` when packets may be sent through DEVICE; addresses and routes are the caller's business.
 * SIGTERM or SIGINT: says goodbye and ends. Status 1 when there is no tunnel, with a line that says why.
 */
#include "config/load.h"
#include "core/net/udp.h"
#include "esp/user.h"
#include "tests/initiator/initiator.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { PORT = 500, PORT_NATT = 4500, REQID = 1, INSTALL_TOKEN = 1 };

struct client {
	struct env env;
	struct log log;
	struct ini_cfg cfg;
	struct proposal_cfg ike, esp;
	struct selector tsi, tsr;
	struct secret psk;
	struct ini *ini;
	struct dataplane *plane;
	struct udp_socket udp, natt;
	struct udp_burst *burst;
	int signals;
	bool installed, leaving, ended;
};

static int fail(const char *what, const char *why)
{
	(void)fprintf(stderr, "esp_client: %s: %s\n", what, why);
	return 1;
}

static bool read_psk(const char *path, struct secret *out)
{
	char line[256] = { 0 };
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(line, sizeof(line), f);

	if (f)
		(void)fclose(f);
	line[strcspn(line, "\n")] = 0;
	ok = ok && *line && secret_copy(out, bytes_str(line)) == GW_OK;
	secret_wipe(line, sizeof(line));
	return ok;
}

static bool configure(struct client *c, char **argv, struct err *e)
{
	const char *ike = "aes128gcm16-prfsha256-x25519", *esp = argv[6] ? argv[6] : "aes128gcm16";
	struct range any;

	if (proposal_parse(ike, PROPOSAL_IKE, &c->ike, e) != GW_OK ||
	    proposal_parse(esp, PROPOSAL_ESP, &c->esp, e) != GW_OK)
		return false;
	if (!range_parse("0.0.0.0-255.255.255.255", &any) || !selector_parse(argv[5], &c->tsr)) {
		(void)err_set(e, GW_EINVAL, "%s is no network", argv[5]);
		return false;
	}
	if (!read_psk(argv[4], &c->psk)) {
		(void)err_set(e, GW_EINVAL, "%s: no key in it", argv[4]);
		return false;
	}
	c->tsi = selector_of(&any);
	c->cfg = (struct ini_cfg){
		.ike = &c->ike,
		.ike_count = 1,
		.esp = &c->esp,
		.esp_count = 1,
		.psk = secret_bytes(&c->psk),
		.tsi = &c->tsi,
		.tsi_count = 1,
		.tsr = &c->tsr,
		.tsr_count = 1,
		.want_v4 = true,
		.initial_contact = true,
		.fake_nat = true,
		.fragmentation = true,
		.max_datagram = 1200,
		.natt_port = PORT_NATT,
		.retransmit_us = SECONDS(1),
		.tries = 5,
		.linger_us = SECONDS(1),
	};
	return true;
}

static bool open_all(struct client *c, const struct addr *local, struct err *e)
{
	const struct user_plane_config plane = { .tun_fd = -1, .tun_name = "esp%d" };
	struct endpoint at = { *local, PORT };
	sigset_t set;

	if (udp_open(&at, &c->udp, e) != GW_OK)
		return false;
	at.port = PORT_NATT;
	if (udp_open(&at, &c->natt, e) != GW_OK)
		return false;
	c->burst = udp_burst_create();
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	/* Before the plane's thread exists, so that it does not take them. */
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	c->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (!c->burst || c->signals < 0) {
		(void)err_set(e, GW_ENOMEM, "out of memory or descriptors");
		return false;
	}
	c->plane = user_plane_create(&c->env, &plane, e);
	return c->plane && user_plane_add_udp(c->plane, c->natt.fd, e) == GW_OK;
}

static struct dp_sa sa_of(const struct client *c, const struct ini_child *child, enum dp_dir dir)
{
	const struct secret *keys = dir == DP_IN ? &child->in_keys : &child->out_keys;
	size_t encr = suite_encr_key_len(&child->suite);

	return (struct dp_sa){
		.dir = dir,
		.mode = DP_TUNNEL,
		.spi = dir == DP_IN ? child->spi_in : child->spi_out,
		.reqid = REQID,
		.local = c->ini->local,
		.remote = c->ini->remote,
		.udp_encap = true,
		.suite = child->suite,
		.encr_key = { keys->p, encr },
		.integ_key = { keys->p + encr, keys->n - encr },
		.esn = child->esn.id == ESN_YES,
		.replay_window = 1024,
		.fence = DP_NO_FENCE,
	};
}

static void install(struct client *c, const struct ini_child *child)
{
	struct dp_op ops[] = {
		{ .kind = DP_POLICY_SET },
		{ .kind = DP_SA_ADD, .sa = sa_of(c, child, DP_IN) },
		{ .kind = DP_SA_ADD, .sa = sa_of(c, child, DP_OUT) },
	};

	ops[0].policy = (struct dp_policy){
		.reqid = REQID,
		.mode = DP_TUNNEL,
		.local = c->ini->local,
		.remote = c->ini->remote,
		.ours = child->ours,
		.ours_count = child->ours_count,
		.theirs = child->theirs,
		.theirs_count = child->theirs_count,
	};
	c->installed = true;
	if (dp_submit(c->plane, INSTALL_TOKEN, ops, ARRAY_LEN(ops)) != GW_OK)
		c->ended = true;
}

static void send_all(struct client *c)
{
	static const uint8_t marker[4];
	struct datagram d;

	while (ini_take(c->ini, &d)) {
		const struct bytes head = { marker, d.natt ? sizeof(marker) : 0 };

		if (udp_send(d.natt ? &c->natt : &c->udp, &d.from.addr, &d.to, head, d.data) != GW_OK)
			break; /* lost, as datagrams may be: it is retransmitted */
	}
}

static void receive_plain(struct client *c)
{
	struct udp_in in[UDP_BURST];
	size_t n = udp_receive(&c->udp, c->burst, in);

	for (size_t i = 0; i < n; i++) {
		const struct datagram d = { .from = in[i].from, .to = in[i].to, .data = { in[i].p, in[i].n } };

		ini_receive(c->ini, &d, in[i].p);
	}
}

static void receive_natt(struct client *c)
{
	struct user_ike ike;
	struct dp_event event;
	uint8_t copy[65536];
	char text[ADDR_TEXT];

	while (user_plane_take_ike(c->plane, &ike)) {
		const struct datagram d = { .from = ike.from, .to = ike.to, .data = { copy, ike.n }, .natt = true };

		memcpy(copy, ike.data, ike.n);
		ini_receive(c->ini, &d, copy);
	}
	while (c->plane->ops->take_event(c->plane, &event)) {
		if (event.kind != DP_DONE)
			continue;
		if (event.result != GW_OK) {
			(void)fail("installation", event.text);
			c->ended = true;
			continue;
		}
		(void)printf("up %s %s\n", user_plane_tun_name(c->plane), addr_text(&c->ini->inner[0], text));
		(void)fflush(stdout);
	}
}

static void step(struct client *c)
{
	mtime now = clock_now(c->env.clock), due = ini_due(c->ini);
	int64_t wait = due.us == INT64_MAX ? -1 : due.us <= now.us ? 0 : (due.us - now.us) / 1000 + 1;
	struct pollfd fds[] = {
		{ .fd = c->udp.fd, .events = POLLIN },
		{ .fd = user_plane_wake_fd(c->plane), .events = POLLIN },
		{ .fd = c->signals, .events = POLLIN },
	};
	struct signalfd_siginfo info;
	const struct ini_sa *sa;

	(void)poll(fds, ARRAY_LEN(fds), wait > 60000 || wait < 0 ? 60000 : (int)wait);
	if (fds[0].revents)
		receive_plain(c);
	if (fds[1].revents)
		receive_natt(c);
	if (fds[2].revents && read(c->signals, &info, sizeof(info)) > 0) {
		c->ended = c->leaving || !ini_delete(c->ini); /* the second time: at once */
		c->leaving = true;
	}
	ini_tick(c->ini);
	send_all(c);
	sa = ini_current(c->ini);
	if (sa && sa->children && !c->installed)
		install(c, sa->children);
	if (c->ini->failed || (c->installed && !sa))
		c->ended = true;
}

static int run(struct client *c)
{
	if (ini_start(c->ini) != GW_OK)
		return fail("start", "out of memory");
	send_all(c);
	while (!c->ended)
		step(c);
	if (!c->installed || !c->leaving)
		return fail("tunnel", c->ini->reason ? c->ini->reason : "the gateway ended it");
	return 0;
}

static void close_all(struct client *c)
{
	ini_destroy(c->ini);
	if (c->plane)
		c->plane->ops->destroy(c->plane);
	udp_close(&c->udp);
	udp_close(&c->natt);
	udp_burst_destroy(c->burst);
	if (c->signals >= 0)
		(void)close(c->signals);
	secret_clear(&c->psk);
	crypto_destroy(c->env.crypto);
	rng_system_destroy(c->env.rng);
}

int main(int argc, char **argv)
{
	struct client c = { .udp.fd = -1, .natt.fd = -1, .signals = -1 };
	struct ini_self self = { .natt_port = PORT_NATT, .id_kind = ID_FQDN };
	struct err e = { 0 };
	uint32_t incarnation;
	int status = 1;

	if (argc < 6 || argc > 7) {
		(void)fprintf(stderr,
			      "usage: esp_client LOCAL REMOTE IDENTITY PSKFILE REMOTE-NETWORK [ESP-PROPOSAL]\n");
		return 2;
	}
	if (!addr_parse(argv[1], &self.local.addr) || !addr_parse(argv[2], &self.remote.addr))
		return fail("usage", "LOCAL and REMOTE are addresses");
	self.local.port = self.remote.port = PORT;
	self.id = bytes_str(argv[3]);
	if (strchr(argv[3], '@'))
		self.id_kind = ID_RFC822;
	c.log = (struct log){ .level = LOG_LVL_WARN, .clock = clock_system() };
	c.env = (struct env){ .clock = clock_system(), .log = &c.log, .rng = rng_system_create() };
	c.env.crypto = crypto_create(&e);
	if (!c.env.rng || !c.env.crypto || rng_fill(c.env.rng, &incarnation, sizeof(incarnation)) != GW_OK) {
		(void)fail("start", e.text);
		goto out;
	}
	c.env.node.incarnation = incarnation & 0xffffff;
	if (!configure(&c, argv, &e) || !open_all(&c, &self.local.addr, &e)) {
		(void)fail("start", e.text);
		goto out;
	}
	c.ini = ini_create(&c.env, &c.cfg, &self);
	status = c.ini ? run(&c) : fail("start", "out of memory");
out:
	close_all(&c);
	return status;
}
