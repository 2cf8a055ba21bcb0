package main

// keeperBoard is about those who hold the knobs, and whether nodes obey.
// Keepers inside gateways tell of themselves on the gateway's page, so job and
// node here are of whoever shows a keeper.
func keeperBoard() *board {
	b := newBoard("keeper", "Keeper and knobs", "Who leads, whether nodes hold what they should, what is being rolled out, and how fast a change is.", "keeper_build_info")
	b.knobChanges(`max(changes(keeper_values_revision$S[1m])) > 0`, "values changed", "pushctl knob history NAME says who and why; pushctl keeper audit says all")
	b.add(3, statHeight, figure("Leaders", look{warn: []float64{1}, less: true, about: "1 when all is well. See pushctl keeper status."}, `sum(keeper_leader$S)`))
	b.add(3, statHeight, figure("Keepers well", look{about: "As the leader sees them."}, `max(keeper_members{$s,state="ok"})`))
	b.add(3, statHeight, figure("Revision", look{}, `max(keeper_revision$S)`))
	b.add(3, statHeight, figure("Nodes current", look{about: "Alive, and hold what they should."}, `sum(keeper_nodes{$s,state="current"} and on (job, instance) keeper_leader$S == 1)`))
	b.add(3, statHeight, figure("Nodes dead", look{warn: []float64{1, 5}}, `sum(keeper_nodes{$s,state="dead"} and on (job, instance) keeper_leader$S == 1)`))
	b.add(3, statHeight, figure("Drift", look{warn: []float64{1, 5}, about: "Knobs that differ from what they should be. See pushctl knob drift."}, `max(keeper_drift_knobs$S)`))
	b.add(3, statHeight, figure("Rollouts running", look{}, `max(keeper_rollouts_running$S)`))
	b.add(3, statHeight, figure("Frozen", look{warn: []float64{1, 100}, about: "Knobs held still. See pushctl knob freezes."}, `max(keeper_freezes$S)`))

	b.head("Knobs")
	b.add(8, height, graph("Revision", look{unit: "short", about: "Purple lines are changes of values."}, line{`max(keeper_revision$S)`, "of all"}, line{`max(keeper_values_revision$S)`, "of values"}))
	b.add(8, height, graph("Values set by layer", look{unit: "short", stack: true}, line{`max by (layer) (keeper_values$S)`, "{{layer}}"}, line{`max(keeper_values_temporary$S)`, "of these with a deadline"}))
	b.add(8, height, graph("Knobs that differ, by node", look{unit: "short", soft: 1}, line{`pushd_knob_drift$G`, "{{instance}}"}))
	b.add(8, height, graph("Nodes by state", look{unit: "short", stack: true, about: "As the leader sees them."}, line{`sum by (state) (keeper_nodes$S and on (job, instance) keeper_leader$S == 1)`, "{{state}}"}))
	b.add(8, height, graph("Revision that nodes obey", look{unit: "short", about: "Below the keepers' for more than a moment: the node is cut off, or refused it."}, line{`pushd_knob_fleet_revision$G`, "{{instance}}"}, line{`max(keeper_values_revision$S)`, "keepers"}))
	b.add(8, height, graph("Rollouts", look{unit: "s", soft: 60, about: "Age of the oldest, and how long one is at a step beyond its soak time. See pushctl knob rollout list."}, line{`max(keeper_rollout_oldest_seconds$S)`, "oldest"}, line{`max(keeper_rollout_overdue_seconds$S)`, "beyond its soak time"},
		line{`max(keeper_node_value_oldest_seconds$S)`, "value for one node without a deadline"}))

	b.head("Leadership")
	b.add(8, height, graph("Who leads", look{unit: "short", stack: true}, line{`keeper_leader$S`, "{{instance}}"}))
	b.add(8, height, graph("Elections won, and the term", look{unit: "short", about: "A term that grows without a leader that changes: somebody cannot hear the others."}, line{`sum(increase(keeper_elections_total$S[5m]))`, "elections in 5 min"}, line{`max(keeper_term$S)`, "term"}))
	b.add(8, height, graph("Time since the leader was heard", look{unit: "s", soft: 0.5}, line{`keeper_leader_contact_seconds$S`, "{{instance}}"}))

	b.head("Commits")
	b.add(8, height, graph("Proposal to answer", look{unit: "s", log: true, about: "What a change costs before nodes hear of it."}, quantiles("keeper_proposal_seconds", "$S")...))
	b.add(8, height, heat("Proposal to answer", look{unit: "s"}, counts("keeper_proposal_seconds", "$S")))
	b.add(8, height, graph("Commits per second, and under way", look{unit: "short"}, line{`max(rate(keeper_commits_total$S[$__rate_interval]))`, "commits"}, line{`max(keeper_proposals_in_flight$S)`, "under way"}))
	b.add(8, height, graph("One write to the log, with its fsync", look{unit: "s"}, line{`rate(keeper_log_append_seconds_total$S[$__rate_interval]) / clamp_min(rate(keeper_log_appends_total$S[$__rate_interval]), 0.001)`, "{{instance}}"}))
	b.add(8, height, graph("Entries since the last snapshot", look{unit: "short", about: "A snapshot is taken after 8192. Many more: snapshots fail, see the keeper's log."}, line{`keeper_log_index$S - keeper_snapshot_index$S`, "{{instance}}"}))
	b.add(8, height, graph("Disk", look{unit: "bytes"}, line{`keeper_disk_free_bytes$S`, "{{instance}} free"}))

	b.head("API")
	b.add(8, height, graph("Requests per second by result", look{unit: "short", stack: true}, line{`sum by (result) (rate(keeper_requests_total$S[$__rate_interval])) > 0 or sum by (result) (rate(keeper_requests_total{$s,result="ok"}[$__rate_interval]))`, "{{result}}"}))
	b.add(8, height, graph("Sessions and watchers", look{unit: "short"}, line{`sum(keeper_sessions$S)`, "sessions of nodes"}, line{`sum(keeper_watchers$S)`, "watchers"}))
	b.add(8, height, graph("Cost of the process", look{unit: "short", about: "Cores. Of a keeper inside a gateway it is the gateway's."}, line{`rate(process_cpu_seconds_total$S[$__rate_interval]) and on (instance) keeper_build_info$S`, "{{instance}}"}))
	return b
}
