package recorder

import "pushfleet/internal/record"

// memorySource reads /proc/meminfo, which is in KiB.
func memorySource() *source {
	g := func(kernel, name, help string) column {
		return column{kernel, record.Field{Name: "mem." + name, Unit: "B", Kind: record.Gauge, Scale: 1024, Help: help}}
	}
	return keyed("meminfo", []column{
		g("MemTotal", "total", "Memory of the machine."),
		g("MemAvailable", "available", "Memory that could be had without swapping."),
		g("MemFree", "free", "Memory that nothing uses."),
		g("Cached", "cached", "Files held in memory."),
		g("Dirty", "dirty", "Files in memory that are to be written."),
		g("Slab", "slab", "The kernel's own objects; sockets are there."),
		g("SwapFree", "swap_free", "Swap that is free."),
	})
}

// pagesSource reads /proc/vmstat.
func pagesSource() *source {
	c := func(kernel, name, help string) column {
		return column{kernel, record.Field{Name: "mem." + name, Kind: record.Counter, Help: help}}
	}
	const stalls = "Allocations that had to free memory first."
	return keyed("vmstat", []column{
		c("pgfault", "faults", "Page faults of the machine."),
		c("pgmajfault", "major_faults", "Page faults that waited for a disk."),
		c("pswpin", "swap_in", "Pages read from swap."),
		c("pswpout", "swap_out", "Pages written to swap."),
		c("pgscan_direct", "scans", "Pages looked at by who needed memory at once."),
		c("allocstall_dma", "stalls", stalls), c("allocstall_dma32", "stalls", stalls),
		c("allocstall_normal", "stalls", stalls), c("allocstall_movable", "stalls", stalls),
		c("oom_kill", "oom_kills", "Processes killed for want of memory."),
	})
}

// diskSource reads /proc/diskstats. whole tells which names are disks rather
// than parts or layers of them.
func diskSource(whole func(name []byte) bool) *source {
	c := func(name, unit string, scale float64, help string) record.Field {
		return record.Field{Name: "disk." + name, Unit: unit, Kind: record.Counter, Scale: scale, Help: help}
	}
	const reads, readSectors, writes, writeSectors, busy = 0, 1, 2, 3, 4
	// Columns behind the name; -1 is not kept.
	to := [...]int{reads, -1, readSectors, -1, writes, -1, writeSectors, -1, -1, busy}
	return &source{path: "diskstats", fields: []record.Field{
		c("reads", "", 0, "Reads of all disks."), c("read_bytes", "B", 512, "Bytes read from all disks."),
		c("writes", "", 0, "Writes of all disks."), c("write_bytes", "B", 512, "Bytes written to all disks."),
		c("busy", "%", 0.1, "Time with a request under way, of all disks together."),
	}, parse: func(b []byte, v []int64) {
		var line, name []byte
		for len(b) > 0 {
			line, b = cutLine(b)
			_, line = cutWord(line)
			_, line = cutWord(line)
			if name, line = cutWord(line); !whole(name) {
				continue
			}
			var n int64
			for _, i := range to {
				if n, line = nextNumber(line); i >= 0 {
					plus(&v[i], n)
				}
			}
		}
	}}
}
