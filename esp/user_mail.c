/* The queues between the plane's thread and the loop: batches in, completions, events and IKE datagrams out. */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "esp/user_state.h"

enum {
	BATCHES_MAX = 65536, /* submitted and not applied */
	IKE_MAX = 4096,	     /* datagrams, and octets, that wait for the loop */
	IKE_BYTES_MAX = 8 << 20,
};

struct ike_item {
	struct ike_item *next;
	struct user_ike ike; /* its data is behind this struct */
	uint8_t data[];
};

void user_eventfd_set(int fd)
{
	const uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one)); /* fails only when it is set already */
}

void user_eventfd_clear(int fd)
{
	uint64_t value;

	(void)!read(fd, &value, sizeof(value));
}

/* ---- to the loop ---- */

static bool nothing_to_take(const struct user_plane *u)
{
	return outbox_empty(&u->outbox) && !u->ike_first;
}

void user_wake(struct user_plane *u)
{
	if (u->woken || nothing_to_take(u))
		return;
	u->woken = true;
	user_eventfd_set(u->wake_fd);
}

/* After something was taken. */
static void user_settle(struct user_plane *u)
{
	if (!u->woken || !nothing_to_take(u))
		return;
	u->woken = false;
	user_eventfd_clear(u->wake_fd);
}

static bool queue_ike(struct user_plane *u, const struct user_ike *in)
{
	struct ike_item *item;

	if (u->ike_count >= IKE_MAX || u->ike_bytes + in->n > IKE_BYTES_MAX)
		return false;
	item = malloc(sizeof(*item) + in->n);
	if (!item)
		return false;
	item->next = NULL;
	item->ike = *in;
	item->ike.data = item->data;
	if (in->n > 0)
		memcpy(item->data, in->data, in->n);
	*(u->ike_last ? &u->ike_last->next : &u->ike_first) = item;
	u->ike_last = item;
	u->ike_count++;
	u->ike_bytes += in->n;
	return true;
}

void user_put_ike(struct user_plane *u, const struct user_ike *in)
{
	bool kept;

	(void)pthread_mutex_lock(&u->mail);
	kept = queue_ike(u, in);
	user_wake(u);
	(void)pthread_mutex_unlock(&u->mail);
	u->stats[kept ? ST_IKE : ST_IKE_LOST]++;
}

bool user_plane_take_ike(struct dataplane *dp, struct user_ike *out)
{
	struct user_plane *u = user_self(dp);

	free(u->ike_taken);
	(void)pthread_mutex_lock(&u->mail);
	u->ike_taken = u->ike_first;
	if (u->ike_taken) {
		*out = u->ike_taken->ike;
		u->ike_first = u->ike_taken->next;
		if (!u->ike_first)
			u->ike_last = NULL;
		u->ike_count--;
		u->ike_bytes -= out->n;
		user_settle(u);
	}
	(void)pthread_mutex_unlock(&u->mail);
	return u->ike_taken != NULL;
}

/* ---- from the loop ---- */

void user_apply(struct user_plane *u)
{
	const struct batch_tables tables = { u->sad, u->spd, &u->caps, u->passes };
	struct batch *b, *next;

	(void)pthread_mutex_lock(&u->mail);
	b = u->first;
	u->first = u->last = NULL;
	u->waiting = 0;
	(void)pthread_mutex_unlock(&u->mail);
	for (; b; b = next) {
		next = b->next;
		batch_apply(b, &tables);
		(void)pthread_mutex_lock(&u->mail);
		outbox_adopt_done(&u->outbox, b);
		user_wake(u);
		(void)pthread_mutex_unlock(&u->mail);
	}
}

enum gw_err user_submit(struct dataplane *dp, uint64_t token, const struct dp_op *ops, size_t n)
{
	struct user_plane *u = user_self(dp);
	struct batch *b = batch_copy(token, ops, n);
	enum gw_err code = GW_OK;

	if (!b)
		return GW_ENOMEM;
	(void)pthread_mutex_lock(&u->mail);
	if (u->waiting >= BATCHES_MAX) {
		code = GW_ELIMIT;
	} else {
		*(u->last ? &u->last->next : &u->first) = b;
		u->last = b;
		u->waiting++;
	}
	(void)pthread_mutex_unlock(&u->mail);
	if (code != GW_OK)
		batch_destroy(b);
	else
		user_eventfd_set(u->kick_fd);
	return code;
}

bool user_take_event(struct dataplane *dp, struct dp_event *out)
{
	struct user_plane *u = user_self(dp);
	bool taken;

	(void)pthread_mutex_lock(&u->mail);
	taken = outbox_take(&u->outbox, out);
	user_settle(u);
	(void)pthread_mutex_unlock(&u->mail);
	return taken;
}

void user_clear_mail(struct user_plane *u)
{
	while (u->first) {
		struct batch *b = u->first;

		u->first = b->next;
		batch_destroy(b);
	}
	while (u->ike_first) {
		struct ike_item *item = u->ike_first;

		u->ike_first = item->next;
		free(item);
	}
	free(u->ike_taken);
	outbox_clear(&u->outbox);
}
