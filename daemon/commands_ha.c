#include "daemon/commands_ha.h"

#include "daemon/gateway.h"
#include "daemon/ha_node.h"
#include "daemon/ha_show.h"

static enum gw_err alone(struct control_call *call)
{
	return err_set(&call->err, GW_ESTATE, "this gateway has no second node: there is no `ha` in its configuration");
}

static const char *reason_of(const struct control_call *call)
{
	return call->request->reason[0] ? call->request->reason : "ordered by the operator";
}

static struct ha_status status_of(const struct gateway *g)
{
	struct ha_status st;

	ha_look(g->ha->ha, &st);
	return st;
}

/* Called again when ha has reported something. */
static enum gw_err wait_for_ha(struct control_call *call)
{
	call->idle = true;
	return GW_PENDING;
}

static enum gw_err say_role(struct gateway *g, struct control_call *call)
{
	struct ha_status st = status_of(g);

	control_item(call,
		     json_pack("{s:s, s:I}", "role", ha_show_role((uint8_t)st.role), "term", (json_int_t)st.term));
	return GW_OK;
}

enum gw_err ha_command_status(void *ctx, struct control_call *call)
{
	struct gateway *g = ctx;

	if (!g->ha)
		return alone(call);
	control_item(call, ha_show_status(g->ha));
	return GW_OK;
}

/* Until the neighbours have moved to the other node, or it has not taken over. */
static enum gw_err await_switchover(struct gateway *g, struct control_call *call)
{
	struct ha_status st = status_of(g);

	if (st.handing || (st.role == HA_STANDBY && g->ha->claimed))
		return wait_for_ha(call);
	if (st.role == HA_STANDBY)
		return say_role(g, call);
	return err_set(&call->err, GW_EBUSY, "no switchover: the standby did not acknowledge in time");
}

enum gw_err ha_command_switchover(void *ctx, struct control_call *call)
{
	struct gateway *g = ctx;

	if (!g->ha)
		return alone(call);
	if (call->cursor[0]++ > 0)
		return await_switchover(g, call);
	TRY(ha_switchover(g->ha->ha, reason_of(call), &call->err));
	return wait_for_ha(call);
}

enum gw_err ha_command_promote(void *ctx, struct control_call *call)
{
	struct gateway *g = ctx;

	if (!g->ha)
		return alone(call);
	if (call->cursor[0]++ == 0)
		TRY(ha_promote(g->ha->ha, reason_of(call), &call->err));
	return status_of(g).role == HA_ACTIVE ? say_role(g, call) : wait_for_ha(call);
}

enum gw_err ha_command_demote(void *ctx, struct control_call *call)
{
	struct gateway *g = ctx;

	if (!g->ha)
		return alone(call);
	TRY(ha_demote(g->ha->ha, reason_of(call), &call->err));
	return say_role(g, call);
}

/* New clients go to the other node; when the last handshake is through, everybody does. */
enum gw_err ha_command_drain(void *ctx, struct control_call *call)
{
	struct gateway *g = ctx;

	if (!g->ha)
		return alone(call);
	if (call->cursor[0]++ == 0)
		TRY(ha_node_drain(g->ha, reason_of(call), &call->err));
	if (g->ha->draining)
		return wait_for_ha(call);
	return await_switchover(g, call);
}

enum gw_err ha_command_undrain(void *ctx, struct control_call *call)
{
	struct gateway *g = ctx;

	if (!g->ha)
		return alone(call);
	ha_node_undrain(g->ha);
	return say_role(g, call);
}

static enum gw_err set_paused(struct gateway *g, struct control_call *call, bool paused)
{
	if (!g->ha)
		return alone(call);
	ha_pause(g->ha->ha, paused);
	log_notice(&g->log, "changes of role by this node itself are %s", paused ? "paused" : "resumed");
	return say_role(g, call);
}

enum gw_err ha_command_pause(void *ctx, struct control_call *call)
{
	return set_paused(ctx, call, true);
}

enum gw_err ha_command_resume(void *ctx, struct control_call *call)
{
	return set_paused(ctx, call, false);
}

enum gw_err ha_command_peer_fenced(void *ctx, struct control_call *call)
{
	struct gateway *g = ctx;

	if (!g->ha)
		return alone(call);
	if (!call->request->yes)
		return err_set(&call->err, GW_EINVAL,
			       "ha-peer-fenced wants `yes`: true. Say it only when the other node is off for sure");
	if (status_of(g).role != HA_ACTIVE)
		return err_set(&call->err, GW_ESTATE, "this node is not active");
	ha_peer_fenced(g->ha->ha);
	log_notice(&g->log, "the operator says that the other node is off");
	return say_role(g, call);
}

enum gw_err ha_command_verify(void *ctx, struct control_call *call)
{
	struct gateway *g = ctx;

	if (!g->ha)
		return alone(call);
	if (call->cursor[0] == 0) {
		call->cursor[0] = g->ha->verifications + 1;
		TRY(ha_verify(g->ha->ha, call->request->repair, &call->err));
	}
	if (g->ha->verifications < call->cursor[0])
		return wait_for_ha(call);
	if (!g->ha->verified.complete)
		return err_set(&call->err, GW_EBUSY, "%s", g->ha->verified_text);
	control_item(call, ha_show_verified(&g->ha->verified));
	return GW_OK;
}
