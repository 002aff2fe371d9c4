#include "ike/ms_status.h"

#include "ike/engine.h"

static const struct {
	uint32_t status;
	const char *text;
} known[] = {
	{ 13801, "it does not accept our certificate: the name that the client dials must stand in subjectAltName, "
		 "serverAuth in extendedKeyUsage, and the CA in the trusted roots of the computer (not of the user)" },
	{ 13802, "it does not accept an attribute of our answer: compare its proposals with those of the connection" },
	{ 13804, "it had a general processing error: see its System event log" },
	{ 13805, "the negotiation timed out at the client: fragments may get lost on the way (ike.fragment_size)" },
	{ 13806, "it has no certificate for us: put one with clientAuth into the computer's store, or use EAP" },
	{ 13813, "it waited for our answer in vain" },
	{ 13816, "an error while it processed our message: with CHILD rekeys a key exchange that it did not expect "
		 "(`pfs: off` of the child, or `rekey_by: peer`)" },
	{ 13817, "it cannot get the CRL of our certificate's CA" },
	{ 13818, "the key usage of our certificate is wrong: digitalSignature is wanted" },
	{ 13819, "our certificate is of a type that it does not know: RSA, or ECDSA P-256 and P-384" },
	{ 13820, "it has no private key for its certificate" },
	{ 13822, "its Diffie-Hellman computation failed" },
	{ 13824, "it calls a header of ours invalid" },
	{ 13825, "it has no policy for this: another VPN connection or IPsec rule of the client may be in the way" },
	{ 13826, "it cannot verify our signature" },
	{ 13843, "it calls a payload of ours invalid" },
	{ 13861, "it calls our policy invalid" },
	{ 13863, "it does not let us rekey: Windows behind a NAT wants to do it itself (`rekey_by: auto` or `peer`)" },
	{ 13864, "its Diffie-Hellman computation failed" },
	{ 13865, "it does not know the Diffie-Hellman group" },
	{ 13868, "policy match error: its proposals have nothing in common with ours; set better ones with "
		 "Set-VpnConnectionIPsecConfiguration, or as a last resort `compat: windows-legacy` here" },
	{ 13869, "it does not support our kind of identity" },
};

uint32_t ms_status_of(const struct ike_msg *m)
{
	const struct notify_payload *n = msg_notify(m, N_MS_STATUS);
	struct reader r;

	if (!n || n->data.n != 4)
		return 0;
	r = rd_of(n->data);
	return rd_u32(&r);
}

const char *ms_status_text(uint32_t status)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].status == status)
			return known[i].text;
	return "see `net helpmsg` with this number at the client";
}

void ms_status_log(const struct ike_sa *sa, const struct ike_msg *m)
{
	uint32_t status = ms_status_of(m);

	if (status != 0)
		sa_log(sa, LOG_LVL_NOTICE, "the Windows client gives up with error %u: %s", status,
		       ms_status_text(status));
}
