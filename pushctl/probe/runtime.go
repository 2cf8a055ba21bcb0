package probe

import "strings"

// KindRuntime is the kind of the locks inside of Go's runtime: of channels,
// timers, the scheduler, the heap.
const KindRuntime = "runtime"

// RuntimeSite names a site of a lock of the runtime: the function of the
// runtime that takes it, and the line of the program that called it, or alone
// where threads work for nobody in particular.
func (s Stack) RuntimeSite() []string {
	var out []string
	for i, f := range s {
		if !takesLock(f.Func) {
			out = append(out, s[i].Func)
			break
		}
	}
	if at := s.Site(); len(out) == 0 || !machinery(at.Func) {
		out = append(out, at.Func)
	}
	return out
}

// takesLock tells the functions of the runtime that only take a lock or change
// to another stack to do so.
func takesLock(fn string) bool {
	switch fn {
	case "runtime.semasleep", "runtime.futexsleep", "runtime.lock2", "runtime.lock", "runtime.lockWithRank",
		"runtime.sellock", "runtime.systemstack", "runtime.mcall":
		return true
	}
	return strings.HasPrefix(fn, "runtime.(*mLock")
}
