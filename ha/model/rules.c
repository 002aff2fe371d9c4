#include "ha/model/model.h"

static const struct rule_text rules[RULE_COUNT] = {
	[RULE_ACK_THEN_ARM] = { "ack-then-arm", "the owner's fence is raised when the record is sent" },
	[RULE_ARM_THEN_SEND] = { "arm-then-send", "the first ceiling is sent before the owner's own fence is armed" },
	[RULE_APPLY_THEN_ACK] = { "apply-then-ack", "the standby acknowledges before it has installed the position" },
	[RULE_ALONE_BOUND] = { "alone-bound", "an owner that loses its standby takes its ceilings for lifted" },
	[RULE_FENCED_REKEYS] = { "fenced-rekeys", "peer-fenced lifts the ceilings that the peer was given" },
	[RULE_OWNED_DURABLE] = { "owned-durable", "a promotion leaves no durable mark, not even afterwards" },
	[RULE_OWNED_THEN_RAISE] = { "owned-then-raise", "fences are raised before the promotion is durable" },
	[RULE_REPORT_THEN_RAISE] = { "report-then-raise", "ceilings are raised before the other node has reported" },
	[RULE_SHUT_THEN_REPORT] = { "shut-then-report", "the loser reports its numbers, then shuts its data plane" },
	[RULE_OLD_TERM_REFUSED] = { "old-term-refused", "a former owner takes records of a term below its own" },
	[RULE_REPORT_AGAIN] = { "report-again",
				"a former owner reports its numbers once, whether or not that arrived" },
	[RULE_STALE_SILENT] = { "stale-silent", "an SA left from an earlier reign is used at its old position" },
	[RULE_HANDOVER_FINAL] = { "handover-final", "a switchover that is not answered is taken back" },
	[RULE_LOWER_THEN_HAND] = { "lower-then-hand",
				   "the old owner says where the successor may begin, then lowers its fence to there" },
	[RULE_STOP_THEN_APPLY] = { "stop-then-apply",
				   "who has handed over takes the successor's positions while it still sends" },
	[RULE_RECREATE_AT_FENCE] = { "recreate-at-fence", "a live SA is re-created at a position read before" },
	[RULE_TERM_OF_NODE] = { "term-of-node", "both nodes count terms by one" },
	[RULE_OWNER_REFUSES] = { "owner-refuses", "a node that has become owner still acknowledges records" },
	[RULE_INCARNATION_DURABLE] = { "incarnation-durable", "an incarnation is used before it is durable" },
	[RULE_ADOPT_OWN_RANGE] = { "adopt-own-range", "an owner adopts any SA that the loser reports" },
	[RULE_CONFIRMED_BY_GRANTOR] = { "confirmed-by-grantor",
					"a position granted by an earlier start of the owner stays good, "
					"while the new start adopts the SA" },
	[RULE_LOST_REKEYS] = { "lost-rekeys", "a node that spoke and lost its memory counts as silent" },
	[RULE_EMPTY_SKIPS] = { "empty-skips", "a reserve that is not marked as used counts as proof of silence" },
	[RULE_RESERVE_OF_START] = { "reserve-of-start",
				    "a restarted node promotes itself with the reserve of its earlier start" },
	[RULE_LEAVE_KEEPS_TERM] = { "leave-keeps-term",
				    "a standby that leaves clears its reserve and writes nothing in its place" },
	[RULE_HIGHER_TERM] = { "higher-term", "an owner never steps down for another" },
};

static const char *const faults[] = {
	[FAULT_NONE] = "nothing",
	[FAULT_NUMBER] = "a sequence number was sent twice under one key",
	[FAULT_NONCE] = "a nonce (node, incarnation, number) was used twice under one key",
	[FAULT_INCARNATION] = "an incarnation was given twice",
	[FAULT_TERM] = "a term was owned twice",
	[FAULT_SETTLE] =
		"with the faults over, the pair does not come to one owner with a synced standby and rising ceilings",
	[FAULT_ODD] = "a standby holds a position that its owner does not know of",
};

const struct rule_text *rule_text(enum rule r)
{
	return &rules[r];
}

const char *fault_text(enum fault f)
{
	return faults[f];
}
