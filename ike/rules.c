/* Which message is legal in which state, and what it needs. Anything else is refused in one place: receive.c. */
#include "ike/engine.h"

#define P(type) PL_BIT(PL_##type)

static const struct ike_rule rules[] = {
	{ IKE_HALF_OPEN, IKE_AUTH, false, P(IDI), x_auth_request, "authenticate" },
	{ IKE_EAP, IKE_AUTH, false, 0, x_auth_round, "next round of EAP" },
	{ IKE_EAP, INFORMATIONAL, false, 0, x_eap_bye, "the peer gives up" },

	{ IKE_UP, CREATE_CHILD_SA, false, P(SA) | P(NONCE), x_create_request, "new or rekeyed SA" },
	{ IKE_UP, CREATE_CHILD_SA, true, 0, x_create_response, "answer to our rekey" },
	{ IKE_UP, INFORMATIONAL, false, 0, x_info_request, "liveness, delete, notify" },
	{ IKE_UP, INFORMATIONAL, true, 0, x_info_response, "answer to our liveness or delete" },

	{ IKE_REKEYED, CREATE_CHILD_SA, false, 0, x_refuse_busy, "the SA is replaced: on the new one, please" },
	{ IKE_REKEYED, CREATE_CHILD_SA, true, 0, x_create_response, "answer to our rekey, crossed" },
	{ IKE_REKEYED, INFORMATIONAL, false, 0, x_info_request, "delete of the replaced SA" },
	{ IKE_REKEYED, INFORMATIONAL, true, 0, x_info_response, "answer to our delete of the replaced SA" },

	{ IKE_DELETING, CREATE_CHILD_SA, false, 0, x_refuse_busy, "the SA is going" },
	{ IKE_DELETING, CREATE_CHILD_SA, true, 0, x_create_response, "answer to our rekey, overtaken" },
	{ IKE_DELETING, INFORMATIONAL, false, 0, x_info_request, "delete crossing ours" },
	{ IKE_DELETING, INFORMATIONAL, true, 0, x_info_response, "answer to our delete" },
};

const struct ike_rule *rule_find(enum ike_state at, uint8_t exchange, bool response)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		if (rules[i].at == at && rules[i].exchange == exchange && rules[i].response == response)
			return &rules[i];
	}
	return NULL;
}

const struct ike_rule *rules_all(size_t *count)
{
	*count = ARRAY_LEN(rules);
	return rules;
}
