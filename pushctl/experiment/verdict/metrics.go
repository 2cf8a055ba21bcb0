package verdict

// The metrics that an experiment measures, as names of Metric. Num and Den are
// what a second adds to the node's counters, or its level in that second.
const (
	CPUPerMessage  = "cpu_per_message"  // CPU seconds, user and system / frames delivered
	MemoryPerConn  = "memory_per_conn"  // bytes without pages of files, or PSS if a node does not tell / open connections
	GCCPU          = "gc_cpu"           // CPU seconds of the collector / CPU seconds
	DeliverP50     = "deliver_p50"      // median of that second's deliveries / none
	DeliverP99     = "deliver_p99"      // 99th percentile of that second's deliveries / none
	QueueWait      = "queue_wait"       // messages queued / frames delivered: how long one waits (Little)
	Drops          = "drops"            // messages dropped / frames delivered
	GCPause        = "gc_pause"         // seconds that the world stood / collections
	SchedWait      = "sched_wait"       // 99th percentile of that second's waits of goroutines for a processor / none
	LockWait       = "lock_wait"        // seconds that goroutines waited for locks / none
	WouldWait      = "would_wait"       // writes that the socket did not take whole / writes
	SwitchesPerMsg = "switches_per_msg" // voluntary switches of threads / frames delivered
)

// Metrics returns what an experiment measures, the most telling first. The
// first seven decide, the others explain.
func Metrics() []Metric {
	return []Metric{
		{Name: CPUPerMessage, Title: "cpu per message", Unit: Seconds, Better: -1, Min: 0.02, Weight: 6},
		{Name: MemoryPerConn, Title: "memory per conn", Unit: Bytes, Better: -1, Min: 0.03, Lag: 6, Unlike: 0.06},
		{Name: GCCPU, Title: "gc cpu", Unit: Ratio, Better: -1, Min: 0.002, Absolute: true},
		{Name: DeliverP50, Title: "deliver p50", Unit: Seconds, Better: -1, Min: 0.05, Floor: 20e-6},
		{Name: DeliverP99, Title: "deliver p99", Unit: Seconds, Better: -1, Min: 0.10, Floor: 50e-6},
		{Name: QueueWait, Title: "queue wait", Unit: Seconds, Better: -1, Min: 0.005, Absolute: true},
		{Name: Drops, Title: "drops per message", Unit: Ratio, Better: -1, Min: 0.001, Absolute: true},
		{Name: GCPause, Title: "gc pause", Unit: Seconds, Better: -1, Min: 0.20, Floor: 20e-6, Watch: true},
		{Name: SchedWait, Title: "sched wait p99", Unit: Seconds, Better: -1, Min: 0.20, Floor: 5e-6, Watch: true},
		{Name: LockWait, Title: "lock wait", Unit: Ratio, Better: -1, Min: 0.001, Absolute: true, Watch: true},
		{Name: WouldWait, Title: "writes that wait", Unit: Ratio, Better: -1, Min: 0.005, Absolute: true, Watch: true},
		{Name: SwitchesPerMsg, Title: "switches per msg", Unit: Count, Better: -1, Min: 0.05, Watch: true},
	}
}

// Units of metrics.
const (
	Seconds = "seconds"
	Bytes   = "bytes"
	Ratio   = "ratio" // of 1
	Count   = "count"
)
