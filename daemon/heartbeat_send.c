#include "daemon/heartbeat_send.h"

#include <string.h>
#include <sys/socket.h>

static void send_one(struct beat_shared *sh, struct beat_voice *v, size_t i, uint64_t sequence, mtime now)
{
	int64_t age = now.us - atomic_load(&sh->alive_us);
	struct heartbeat_msg m = { .kind = HEARTBEAT_NODE,
				   .node = sh->cfg.node,
				   .path = (uint8_t)i,
				   .incarnation = sh->cfg.incarnation,
				   .loop_age_ms = age < 0 ? 0 : (uint32_t)(age / 1000),
				   .boot = sh->boot,
				   .echo = atomic_load(&sh->peer_boot),
				   .known = atomic_load(&sh->known),
				   .sequence = sequence,
				   .says = v->says };
	bool both = v->keys.until_us > now.us;
	struct sockaddr_storage ss;
	socklen_t len = (socklen_t)endpoint_to_sockaddr(&sh->paths[i].remote, &ss);

	memcpy(m.cluster, sh->cluster, sizeof(m.cluster));
	for (size_t k = 0; k < (both ? 2u : 1u); k++) {
		uint8_t buf[HEARTBEAT_MAX];
		size_t n = heartbeat_msg_write(v->crypto, bytes_of(v->keys.key[k], PAIR_BEAT_KEY), &m, buf);

		if (n > 0 && sendto(sh->paths[i].fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&ss,
				    len) == (ssize_t)n)
			v->out++;
		else
			v->send_errors[i]++;
	}
}

/* The parent process compares with this: it only rises, whoever is slow to write it. */
static void show(struct heartbeat_page *page, uint64_t sequence, uint64_t peer_boot)
{
	uint64_t before = atomic_load(&page->sequence);

	while (before < sequence && !atomic_compare_exchange_weak(&page->sequence, &before, sequence))
		;
	atomic_store(&page->peer_boot, peer_boot);
}

void beat_send_all(struct beat_shared *sh, struct beat_voice *v, mtime now)
{
	uint64_t sequence = atomic_fetch_add(&sh->sequence, 1) + 1;

	atomic_store(&sh->sent_us, now.us);
	(void)cell_get(&sh->say, &v->says, sizeof(v->says));
	(void)cell_get(&sh->key, &v->keys, sizeof(v->keys));
	if (sh->cfg.page)
		show(sh->cfg.page, sequence, atomic_load(&sh->peer_boot));
	for (size_t i = 0; i < sh->cfg.path_count; i++)
		send_one(sh, v, i, sequence, now);
}
