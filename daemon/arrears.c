#include "daemon/arrears.h"

#include <stdlib.h>

static bool is_removal(const struct dp_op *op)
{
	return op->kind == DP_SA_REMOVE || op->kind == DP_POLICY_REMOVE;
}

enum gw_err arrears_keep(struct arrears *a, const struct dp_op *ops, size_t n)
{
	if (a->cap - a->n < n) {
		size_t cap = 2 * (a->n + n);
		struct dp_op *bigger = realloc(a->ops, cap * sizeof(*bigger));

		if (!bigger)
			return GW_ENOMEM;
		a->ops = bigger;
		a->cap = cap;
	}
	for (size_t i = 0; i < n; i++)
		if (is_removal(&ops[i]))
			a->ops[a->n++] = ops[i];
	return GW_OK;
}

void arrears_settle(struct arrears *a, struct dataplane *dp)
{
	if (a->n > 0 && dp_submit(dp, 0, a->ops, a->n) == GW_OK)
		arrears_clear(a);
}

void arrears_clear(struct arrears *a)
{
	free(a->ops);
	*a = (struct arrears){ 0 };
}
