#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'Noise on the ports of the sync link and of heartbeats, by the thousand: counted, refused, and of no effect.'

pair_begin
active=$(active)
for to in "$NODE_SYNC_A" "$NODE_SYNC_B" "$NODE_OUT_A" "$NODE_OUT_B"; do
	from=$([[ $to == "$NODE_SYNC_A" || $to == "$NODE_OUT_A" ]] && echo b || echo a)
	on "$from" python3 - "$to" <<-'PYTHON'
		import os, random, socket, sys
		to = (sys.argv[1], 4510)
		u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		for _ in range(2000):
		    u.sendto(os.urandom(random.randrange(0, 300)), to)
		for _ in range(50):
		    try:
		        t = socket.create_connection(to, 0.5)
		        t.sendall(os.urandom(random.randrange(1, 4000)))
		        t.close()
		    except OSError:
		        pass
		idle = []
		for _ in range(20):
		    try:
		        idle.append(socket.create_connection(to, 0.5))
		    except OSError:
		        pass
	PYTHON
done
expect_role "$active" active
expect_synced
node_kill "$active"
expect_takeover "$active"
expect_synced
pair_unnoticed
