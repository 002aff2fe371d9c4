#include "daemon/cell.h"

#include "core/secret.h"

void cell_put(struct cell *c, const void *from, size_t n)
{
	uint64_t w[CELL_WORDS] = { 0 };
	uint32_t seq = atomic_load_explicit(&c->seq, memory_order_relaxed);

	memcpy(w, from, n);
	atomic_store_explicit(&c->seq, seq + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < (n + 7) / 8; i++)
		atomic_store_explicit(&c->w[i], w[i], memory_order_relaxed);
	atomic_store_explicit(&c->seq, seq + 2, memory_order_release);
	secret_wipe(w, sizeof(w));
}

bool cell_get(const struct cell *c, void *to, size_t n)
{
	uint64_t w[CELL_WORDS];
	uint32_t seq = atomic_load_explicit(&c->seq, memory_order_acquire);
	bool ok;

	for (size_t i = 0; i < (n + 7) / 8; i++)
		w[i] = atomic_load_explicit(&c->w[i], memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	ok = seq % 2 == 0 && atomic_load_explicit(&c->seq, memory_order_relaxed) == seq;
	if (ok)
		memcpy(to, w, n);
	secret_wipe(w, sizeof(w));
	return ok;
}
