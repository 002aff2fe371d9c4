#include <stdlib.h>

#include "tests/check_main.h"

#include "ike/engine.h"

/* Every (state, exchange, direction) pair against the table of what RFC 7296 allows a responder here. */
static bool legal(enum ike_state at, uint8_t exchange, bool response)
{
	switch (at) {
	case IKE_HALF_OPEN:
		return exchange == IKE_AUTH && !response;
	case IKE_EAP: /* a peer that gives up says so (2.21.2) */
		return (exchange == IKE_AUTH || exchange == INFORMATIONAL) && !response;
	case IKE_UP:
	case IKE_REKEYED:
	case IKE_DELETING:
		return exchange == CREATE_CHILD_SA || exchange == INFORMATIONAL;
	case IKE_LINGERING:
	case IKE_DEAD:
	case IKE_NEW:
		return false;
	}
	return false;
}

START_TEST(every_pair)
{
	size_t seen = 0, count;

	rules_all(&count);
	for (int at = IKE_HALF_OPEN; at <= IKE_EAP; at++) {
		for (int exchange = 0; exchange < 256; exchange++) {
			for (int response = 0; response < 2; response++) {
				const struct ike_rule *r =
					rule_find((enum ike_state)at, (uint8_t)exchange, response != 0);

				ck_assert_msg((r != NULL) ==
						      legal((enum ike_state)at, (uint8_t)exchange, response != 0),
					      "state %s, exchange %d, response %d", ike_state_name((enum ike_state)at),
					      exchange, response);
				seen += r != NULL;
			}
		}
	}
	ck_assert_uint_eq(seen, count); /* no row is hidden by another */
}
END_TEST

START_TEST(replaced_and_closing_refuse_new_work)
{
	ck_assert(rule_find(IKE_REKEYED, CREATE_CHILD_SA, false)->step == x_refuse_busy);
	ck_assert(rule_find(IKE_DELETING, CREATE_CHILD_SA, false)->step == x_refuse_busy);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("rules");

	tcase_add_test(t, every_pair);
	tcase_add_test(t, replaced_and_closing_refuse_new_work);
	return check_main("rules", t);
}
