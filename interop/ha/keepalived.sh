#!/usr/bin/env bash
. "$(dirname "$0")/../pair.sh"
story 'keepalived decides on roles (election: external): a node without power, its return, and a planned change go by VRRP.'

PAIR_HA='election: external'
PRIORITY_A=100 PRIORITY_B=90

# keepalived of a node; its own address stands for whatever else it moves.
vrrp_start() {
	local node=$1 priority=PRIORITY_${1^} dir=$RIG/$1/vrrp ctl
	priority=${!priority}
	ctl="$GATEWAY_BUILD/gatewayctl --socket $RIG/$node/control.sock"
	mkdir -p "$dir"
	cat >"$dir/conf" <<-EOT
		global_defs {
			router_id $node
			vrrp_version 3
			script_user root
			enable_script_security
		}
		vrrp_instance road {
			state BACKUP
			nopreempt
			interface out
			virtual_router_id 7
			priority $priority
			advert_int 0.1
			virtual_ipaddress {
				198.51.100.9/32 dev out
			}
			notify_master "$ctl ha promote --reason keepalived"
			notify_backup "$ctl ha demote --reason keepalived"
			notify_stop "$ctl ha demote --reason keepalived"
		}
	EOT
	# In mounts of its own: it insists on files in /run.
	rig_start "vrrp-$node" "$node" unshare -m sh -c "mount -t tmpfs tmpfs /run && exec keepalived -n -l -D -f $dir/conf -p $dir/pid -r $dir/vrrp.pid"
}
vrrp_stop() { rig_stop "vrrp-$1" "${2:-TERM}" || true; }
vrrp_is() { grep -E -q "Entering $2 STATE" "$RIG/log/vrrp-$1"; }

node_start a || fail 'node a did not start'
node_start b || fail 'node b did not start'
sleep 2
! active >/dev/null || fail 'a node became active, though nobody had said so'
vrrp_start a
expect_eventually 10 'a to be master' vrrp_is a MASTER
vrrp_start b
expect_role a active
expect_synced
pair_connect
pair_watch

flow_mark power
vrrp=$(pgrep -P "$(rig_pid vrrp-a)" | tr '\n' ' ')
for link in out lan sync; do link_cut "$link" a; done
# shellcheck disable=SC2086
kill -KILL $vrrp 2>/dev/null || true
vrrp_stop a KILL
node_kill_all a
expect_role b active
: >"$RIG/log/vrrp-a"
rm -f "$RIG"/a/vrrp/*pid # as /run is empty after a boot
ip -n "$RIG_ID-a" addr del 198.51.100.9/32 dev out 2>/dev/null || true
node_power_on a || fail 'node a did not start again'
vrrp_start a
expect_role a standby
expect_synced

flow_mark planned
vrrp_stop b
expect_role a active
expect_role b standby
expect_synced
pair_unnoticed 3000
node_log a | grep -q keepalived || fail "the log does not say who had the role changed: $(node_log a | grep -i role | tail -n 2)"
