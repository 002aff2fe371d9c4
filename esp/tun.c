#include "esp/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel's 500 overflow in 5 ms at 100,000 packets/s: one turn of another process on a busy machine. */
enum { QUEUE_PACKETS = 2000 };

static enum gw_err failed(struct err *e, const char *what, const char *name, int number)
{
	enum gw_err code = number == EPERM || number == EACCES ? GW_EPERM : GW_EIO;

	return err_set(e, code, "%s %s: %s", what, name, strerror(number));
}

static void set_name(struct ifreq *ifr, const char *name)
{
	memset(ifr, 0, sizeof(*ifr));
	memcpy(ifr->ifr_name, name, strnlen(name, IFNAMSIZ - 1));
}

enum gw_err tun_open(const char *name, int *fd, char actual[TUN_NAME], struct err *e)
{
	struct ifreq ifr;
	int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (tun < 0)
		return failed(e, "open", "/dev/net/tun", errno);
	set_name(&ifr, name);
	ifr.ifr_flags = IFF_TUN | IFF_NO_PI;
	if (ioctl(tun, TUNSETIFF, &ifr) != 0) {
		enum gw_err code = failed(e, "create device", name, errno);

		(void)close(tun);
		return code;
	}
	memcpy(actual, ifr.ifr_name, TUN_NAME);
	actual[TUN_NAME - 1] = 0;
	*fd = tun;
	return GW_OK;
}

/* One interface ioctl on a socket that lives as long as it. Returns errno, 0 for success. */
static int interface_ioctl(unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), number = 0;

	if (fd < 0)
		return errno;
	if (ioctl(fd, request, ifr) != 0)
		number = errno;
	(void)close(fd);
	return number;
}

enum gw_err tun_set_queue(const char *name, struct err *e)
{
	struct ifreq ifr;
	int number;

	set_name(&ifr, name);
	ifr.ifr_qlen = QUEUE_PACKETS;
	number = interface_ioctl(SIOCSIFTXQLEN, &ifr);
	return number == 0 ? GW_OK : failed(e, "set queue of", name, number);
}

enum gw_err tun_set_mtu(const char *name, uint32_t mtu, struct err *e)
{
	struct ifreq ifr;
	int number;

	set_name(&ifr, name);
	ifr.ifr_mtu = (int)mtu;
	number = interface_ioctl(SIOCSIFMTU, &ifr);
	return number == 0 ? GW_OK : failed(e, "set MTU of", name, number);
}

enum gw_err tun_set_up(const char *name, bool up, struct err *e)
{
	struct ifreq ifr;
	int number;

	set_name(&ifr, name);
	number = interface_ioctl(SIOCGIFFLAGS, &ifr);
	if (number == 0) {
		ifr.ifr_flags = (short)(up ? ifr.ifr_flags | IFF_UP : ifr.ifr_flags & ~IFF_UP);
		number = interface_ioctl(SIOCSIFFLAGS, &ifr);
	}
	return number == 0 ? GW_OK : failed(e, up ? "set up" : "set down", name, number);
}
