#include "tests/sim/net.h"

#include <stdlib.h>

struct flight {
	struct flight *next;
	mtime at;
	uint64_t serial;
	struct datagram d;
	uint8_t data[];
};

void net_init(struct net *n, struct rng *rng)
{
	*n = (struct net){ .rng = rng, .faults = { .delay_min_us = 1000, .delay_max_us = 1000 } };
}

void net_clear(struct net *n)
{
	struct flight *f;

	while ((f = n->flights) != NULL) {
		n->flights = f->next;
		free(f);
	}
}

struct net_nat *net_nat_add(struct net *n, const struct addr *inside, const struct addr *outside, uint16_t shift)
{
	if (n->nat_count == NET_NATS)
		return NULL;
	n->nats[n->nat_count] = (struct net_nat){ *inside, *outside, shift };
	return &n->nats[n->nat_count++];
}

/* Both directions at the time of sending: what a rebinding leaves behind is lost. */
static bool translate(const struct net *n, struct datagram *d)
{
	for (size_t i = 0; i < n->nat_count; i++) {
		const struct net_nat *nat = &n->nats[i];

		if (addr_equal(&d->from.addr, &nat->inside)) {
			d->from.addr = nat->outside;
			d->from.port = (uint16_t)(d->from.port + nat->shift);
		}
		if (addr_equal(&d->to.addr, &nat->outside)) {
			d->to.addr = nat->inside;
			d->to.port = (uint16_t)(d->to.port - nat->shift);
			return d->to.port == 500 || d->to.port == 4500;
		}
	}
	return true;
}

static void launch(struct net *n, mtime now, const struct datagram *d)
{
	struct flight *f = malloc(sizeof(*f) + d->data.n), **at = &n->flights;
	int64_t spread = n->faults.delay_max_us - n->faults.delay_min_us;

	if (!f)
		return;
	f->d = *d;
	memcpy(f->data, d->data.p, d->data.n);
	f->d.data = bytes_of(f->data, d->data.n);
	f->serial = n->serial++;
	f->at = mtime_add(now,
			  n->faults.delay_min_us + (spread > 0 ? (int64_t)rng_below(n->rng, (uint64_t)spread + 1) : 0));
	if (d->data.n > 0 && rng_below(n->rng, 1000) < n->faults.corrupt) {
		f->data[rng_below(n->rng, d->data.n)] ^= (uint8_t)(1u << rng_below(n->rng, 8));
		n->corrupted++;
	}
	while (*at && ((*at)->at.us < f->at.us || ((*at)->at.us == f->at.us && (*at)->serial < f->serial)))
		at = &(*at)->next;
	f->next = *at;
	*at = f;
}

void net_send(struct net *n, mtime now, const struct datagram *in)
{
	struct datagram d = *in;

	n->sent++;
	if (!translate(n, &d) || n->cut || rng_below(n->rng, 1000) < n->faults.loss) {
		n->lost++;
		return;
	}
	launch(n, now, &d);
	if (rng_below(n->rng, 1000) < n->faults.dup) {
		n->doubled++;
		launch(n, now, &d);
	}
}

mtime net_due(const struct net *n)
{
	return n->flights ? n->flights->at : MTIME_NEVER;
}

size_t net_in_flight(const struct net *n)
{
	size_t count = 0;

	for (const struct flight *f = n->flights; f; f = f->next)
		count++;
	return count;
}

bool net_arrive(struct net *n, mtime now, struct datagram *out, uint8_t **bytes)
{
	struct flight *f = n->flights;

	free(*bytes);
	*bytes = NULL;
	if (!f || !mtime_reached(f->at, now))
		return false;
	n->flights = f->next;
	*out = f->d;
	*bytes = malloc(f->d.data.n ? f->d.data.n : 1);
	if (*bytes && f->d.data.n)
		memcpy(*bytes, f->data, f->d.data.n);
	out->data.p = *bytes;
	free(f);
	return *bytes != NULL;
}
