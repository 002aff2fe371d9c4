/*
 * Looks through captures of the road for what two senders of one SA would leave there (wire.h).
 *
 *	wire_check [--from ADDRESS]... [--at-least N] FILE.pcap...
 *
 * --from: only packets that these addresses sent, the gateway's; else all. --at-least: fewer ESP packets than N are a
 * failure, too, since nothing was seen then (1). Prints one JSON document; each repeat is a line on standard error.
 * Status 1 when a number or an IV was used twice, 2 when a capture could not be read.
 */
#include "tests/rig/pcap.h"
#include "tests/rig/wire.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FROM = 8, MAX_TOLD = 20 };

struct check {
	struct wire *wire;
	struct addr from[MAX_FROM];
	size_t from_count;
	uint64_t esp, ike, fragments, shortened, told;
};

static bool wanted(const struct check *c, const struct addr *from)
{
	for (size_t i = 0; i < c->from_count; i++)
		if (addr_equal(&c->from[i], from))
			return true;
	return c->from_count == 0;
}

static void tell(struct check *c, enum wire_finding f, const struct wire_repeat *r)
{
	if (c->told++ >= MAX_TOLD)
		return;
	(void)fprintf(stderr,
		      "%s used twice: SPI %08" PRIx32 " sequence %" PRIu32 " IV %016" PRIx64
		      ", %.6f s and %.6f s of the wall clock\n",
		      f == WIRE_SEQUENCE ? "sequence number" : "IV", r->spi, r->sequence, r->iv,
		      (double)r->earlier_us / 1e6, (double)r->us / 1e6);
}

static enum gw_err look(struct check *c, struct bytes file, struct err *e)
{
	struct pcap_packet packet;
	struct wire_repeat repeat;
	enum wire_finding finding;
	struct pcap_esp esp;
	struct pcap p;

	TRY(pcap_open(&p, file, e));
	while (pcap_next(&p, &packet)) {
		enum pcap_kind kind = pcap_look(&p, packet.frame, &esp);

		c->ike += kind == PCAP_IKE;
		c->fragments += kind == PCAP_FRAGMENT;
		if (kind != PCAP_ESP || !wanted(c, &esp.from))
			continue;
		c->shortened += !packet.whole;
		c->esp++;
		if (wire_add(c->wire, esp.esp, packet.us, &finding, &repeat) != GW_OK)
			return err_set(e, GW_EMALFORMED, "an ESP packet without an IV (or out of memory)");
		if (finding == WIRE_SEQUENCE || finding == WIRE_IV)
			tell(c, finding, &repeat);
	}
	return GW_OK;
}

static enum gw_err look_file(struct check *c, const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum gw_err result;
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0) {
		if (fd >= 0)
			(void)close(fd);
		return err_set(e, GW_EIO, "cannot be read, or is empty");
	}
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	(void)close(fd);
	if (map == MAP_FAILED)
		return err_set(e, GW_EIO, "cannot be mapped");
	result = look(c, bytes_of(map, (size_t)st.st_size), e);
	(void)munmap(map, (size_t)st.st_size);
	return result;
}

static void print(const struct check *c, bool clean)
{
	size_t count;
	const struct wire_sa *sas = wire_sas(c->wire, &count);

	(void)printf("{\"clean\": %s, \"esp\": %" PRIu64 ", \"ike\": %" PRIu64 ", \"repeated_sequence\": %" PRIu64
		     ", \"repeated_iv\": %" PRIu64 ", \"seen_twice\": %" PRIu64 ", \"fragments\": %" PRIu64
		     ", \"shortened\": %" PRIu64 ", \"sas\": [",
		     clean ? "true" : "false", c->esp, c->ike, wire_count(c->wire, WIRE_SEQUENCE),
		     wire_count(c->wire, WIRE_IV), wire_count(c->wire, WIRE_SAME), c->fragments, c->shortened);
	for (size_t i = 0; i < count; i++)
		(void)printf("%s{\"spi\": \"%08" PRIx32 "\", \"packets\": %" PRIu64 ", \"first\": %" PRIu32
			     ", \"lowest\": %" PRIu32 ", \"highest\": %" PRIu32 ", \"last\": %" PRIu32
			     ", \"jumps\": %" PRIu32 ", \"back\": %" PRIu32 "}",
			     i ? ", " : "", sas[i].spi, sas[i].packets, sas[i].first, sas[i].lowest, sas[i].highest,
			     sas[i].last, sas[i].jumps, sas[i].back);
	(void)printf("]}\n");
}

static int usage(void)
{
	(void)fprintf(stderr, "usage: wire_check [--from ADDRESS]... [--at-least N] FILE.pcap...\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct check c = { 0 };
	unsigned long long least = 1;
	struct err e = { 0 };
	bool clean;
	int i;

	for (i = 1; i + 1 < argc && argv[i][0] == '-'; i += 2) {
		if (strcmp(argv[i], "--at-least") == 0)
			least = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--from") != 0 || c.from_count == MAX_FROM ||
			 !addr_parse(argv[i + 1], &c.from[c.from_count++]))
			return usage();
	}
	if (i >= argc || argv[i][0] == '-')
		return usage();
	c.wire = wire_create();
	if (!c.wire) {
		(void)fprintf(stderr, "wire_check: out of memory\n");
		return 2;
	}
	for (; i < argc; i++) {
		if (look_file(&c, argv[i], &e) == GW_OK)
			continue;
		(void)fprintf(stderr, "wire_check: %s: %s\n", argv[i], e.text);
		wire_destroy(c.wire);
		return 2;
	}
	clean = wire_count(c.wire, WIRE_SEQUENCE) == 0 && wire_count(c.wire, WIRE_IV) == 0;
	if (c.esp < least) {
		(void)fprintf(stderr, "wire_check: %" PRIu64 " ESP packets, not %llu\n", c.esp, least);
		clean = false;
	}
	print(&c, clean);
	wire_destroy(c.wire);
	return clean ? 0 : 1;
}
