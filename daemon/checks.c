#include "daemon/checks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/privileges.h"

/* -1: not there or not a number. */
static long sysctl_read(const struct checks_root *root, const char *name)
{
	char path[512], text[32], *end;
	ssize_t n;
	long value;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", root->proc_sys, name) >= (int)sizeof(path))
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -1;
	text[n] = 0;
	value = strtol(text, &end, 10);
	return end == text ? -1 : value;
}

static bool serves(const struct settings *s, uint8_t family)
{
	for (size_t i = 0; i < s->pool_count; i++)
		if (s->pools[i].addresses.lo.family == family)
			return true;
	for (size_t i = 0; i < s->conn_count; i++)
		for (size_t k = 0; k < s->conns[i].child_count; k++)
			if (s->conns[i].children[k].remote_count > 0 &&
			    s->conns[i].children[k].remote[0].range.lo.family == family)
				return true;
	return false;
}

static unsigned warn_forwarding(const struct settings *s, const struct checks_root *root, struct log *log)
{
	unsigned found = 0;

	if (serves(s, 4) && sysctl_read(root, "net/ipv4/ip_forward") == 0) {
		log_warn(log, "IPv4 forwarding is off, so clients reach nothing behind this gateway; "
			      "do: sysctl -w net.ipv4.ip_forward=1");
		found++;
	}
	if (serves(s, 6) && sysctl_read(root, "net/ipv6/conf/all/forwarding") == 0) {
		log_warn(log, "IPv6 forwarding is off, so clients reach nothing behind this gateway; "
			      "do: sysctl -w net.ipv6.conf.all.forwarding=1");
		found++;
	}
	return found;
}

/* The maximum of `all` and the device's own counts (ip-sysctl); a device to come inherits `default`. */
static unsigned warn_rp_filter(const struct settings *s, const struct checks_root *root, struct log *log)
{
	const char *device = s->tun_name && !strchr(s->tun_name, '%') ? s->tun_name : "default";
	long all = sysctl_read(root, "net/ipv4/conf/all/rp_filter"), own;
	char name[256];

	if (!serves(s, 4))
		return 0;
	(void)snprintf(name, sizeof(name), "net/ipv4/conf/%s/rp_filter", device);
	own = sysctl_read(root, name);
	if (own < 0) {
		device = "default";
		own = sysctl_read(root, "net/ipv4/conf/default/rp_filter");
	}
	/* 1 is strict, 2 loose: so 2 on the device wins over 1 everywhere else. */
	if ((all > own ? all : own) != 1)
		return 0;
	log_warn(log,
		 "rp_filter is strict, so packets of clients whose address is routed elsewhere are dropped silently; "
		 "do: sysctl -w net.ipv4.conf.%s.rp_filter=2",
		 device);
	return 1;
}

unsigned checks_warn(const struct settings *s, const struct checks_root *root, struct log *log)
{
	return warn_forwarding(s, root, log) + warn_rp_filter(s, root, log);
}

static bool exists(const char *folder, const char *name, const char *more)
{
	char path[512];

	return snprintf(path, sizeof(path), "%s/%s%s", folder, name, more) < (int)sizeof(path) &&
	       access(path, F_OK) == 0;
}

enum gw_err checks_require(const struct settings *s, const struct checks_root *root, struct err *e)
{
	char path[512];

	if (s->dataplane == DATAPLANE_FAKE)
		return s->allow_fake_plane ? GW_OK
					   : err_set(e, GW_ECONFIG,
						     "dataplane: fake carries no packets; it is for tests and benches");
	TRY(privileges_check(e));
	(void)snprintf(path, sizeof(path), "%s/net/tun", root->dev);
	if (access(path, R_OK | W_OK) != 0)
		return err_set(e, GW_EIO, "%s: %s; do: modprobe tun (in a container: --device /dev/net/tun)", path,
			       strerror(errno));
	/* A TUN device that is there, made by the administrator, is taken. */
	if (s->tun_name && exists(root->net, s->tun_name, "") && !exists(root->net, s->tun_name, "/tun_flags"))
		return err_set(
			e, GW_EEXIST,
			"a network device %s exists and is no TUN device; choose another name by userspace.device",
			s->tun_name);
	return GW_OK;
}
