package config

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushfleet/internal/settings"
	"pushfleet/internal/tlsfile/tlstest"
	"pushfleet/keeper/store"
)

var update = flag.Bool("update", false, "write the files anew, then read the difference")

// place is an outside world made of maps.
type place struct {
	env   map[string]string
	files map[string]string
}

func (p place) getenv(name string) string { return p.env[name] }

func (p place) readFile(path string) ([]byte, error) {
	if s, ok := p.files[path]; ok {
		return []byte(s), nil
	}
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

func (p place) load(args string) (Config, error) {
	return program().Load(strings.Fields(args), p.getenv, p.readFile)
}

// withTLS has the files of two certificates.
func withTLS(t *testing.T) place {
	p := place{env: map[string]string{"HOME": "/h"}, files: map[string]string{"/no.pem": "nonsense"}}
	for _, name := range []string{"a", "b"} {
		f := tlstest.New(t).Issue(t.TempDir(), "keeper.test")
		for short, path := range map[string]string{"ca": f.CA, "cert": f.Cert, "key": f.Key} {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			p.files["/"+name+"."+short] = string(b)
		}
	}
	return p
}

func TestDefaultsAreOneKeeperOnLoopback(t *testing.T) {
	c, err := place{env: map[string]string{"HOME": "/h", "STATE_DIRECTORY": "/s", "RUNTIME_DIRECTORY": "/r"}}.load("--id k1")
	if err != nil {
		t.Fatal(err)
	}
	want := store.Config{ID: "k1", Dir: "/s", Listen: "127.0.0.1:7411", Join: []string{}, Expect: 1, LogKind: store.WAL}
	d := store.DefaultTiming()
	want.Timing.Heartbeat, want.Timing.Election, want.Timing.Lease = d.Heartbeat, d.Election, d.Lease
	if got := c.Store(); !reflect.DeepEqual(got, want) {
		t.Errorf("store: %+v, want %+v", got, want)
	}
	if !reflect.DeepEqual(c.API, []string{"127.0.0.1:7410"}) || c.Socket != "/r/keeper.sock" || c.APITLS != (APITLS{}) {
		t.Errorf("defaults: %+v", c)
	}
}

// TestExpect: a keeper founds alone only when it was told of nobody.
func TestExpect(t *testing.T) {
	f := func(args string, want int) {
		t.Helper()
		c, err := place{env: map[string]string{"HOME": "/h"}}.load("--raft 127.0.0.1:1 " + args)
		if err != nil || c.Store().Expect != want {
			t.Errorf("%s: expects %d, %v; want %d", args, c.Store().Expect, err, want)
		}
	}
	f("", 1)
	f("--bootstrap-expect 1", 1)
	f("--join 127.0.0.1:2", 0)
	f("--join 127.0.0.1:2 --bootstrap-expect 2", 2)
	f("--join 127.0.0.1:1,127.0.0.1:2 --bootstrap-expect 2", 2) // its own address may be in the list
}

func TestEverySource(t *testing.T) {
	p := withTLS(t)
	p.files[FileDefault] = `
id = "k2"
bootstrap_expect = 3
join = ["10.0.0.1:7411", "keeper-3.example:7411"]
[api]
listen = ["10.0.0.2:7410", "127.0.0.1:7410"]
tls_cert = "/a.cert"
tls_key = "/a.key"
[raft]
listen = "10.0.0.2:7411"
tls_ca = "/a.ca"
tls_cert = "/a.cert"
tls_key = "/a.key"
tls_name = "keeper.test"
log = "bolt"
heartbeat = "1s"
`
	p.env["KEEPER_RAFT_ELECTION"] = "2s"
	p.env["KEEPER_API_ADVERTISE"] = "keeper-2.example:7410"
	c, err := p.load("--state-dir /s --raft-tls-name keeper.test")
	if err != nil {
		t.Fatal(err)
	}
	want := store.Config{ID: "k2", Dir: "/s", Listen: "10.0.0.2:7411", Expect: 3, Join: []string{"10.0.0.1:7411", "keeper-3.example:7411"},
		TLS: store.TLSFiles{CA: "/a.ca", Cert: "/a.cert", Key: "/a.key", Name: "keeper.test"}, LogKind: store.Bolt,
		Timing: store.Timing{Heartbeat: time.Second, Election: 2 * time.Second, Lease: 800 * time.Millisecond}}
	if diff := cmp.Diff(want, c.Store(), cmp.FilterPath(func(p cmp.Path) bool { // unexported ones are of tests
		f, ok := p.Last().(cmp.StructField)
		return ok && f.Name()[0] >= 'a'
	}, cmp.Ignore())); diff != "" {
		t.Error(diff)
	}
	f := func(key, source string) {
		t.Helper()
		if c.Source(key) != source {
			t.Errorf("%s is from %q, want %q", key, c.Source(key), source)
		}
	}
	f("id", FileDefault+":2")
	f("raft.election", "env KEEPER_RAFT_ELECTION")
	f("api.advertise", "env KEEPER_API_ADVERTISE")
	f("raft.tls_name", "flag --raft-tls-name")
	f("socket", "default")
}

func TestProblemsAreFoundAndSaidWell(t *testing.T) {
	p := withTLS(t)
	f := func(args string, parts ...string) {
		t.Helper()
		_, err := p.load(args)
		problems, ok := errors.AsType[settings.Problems](err)
		if !ok || len(problems) != len(parts) {
			t.Errorf("%s: %v, want %d problems", args, err, len(parts))
			return
		}
		for i, part := range parts {
			if !strings.Contains(problems[i].String(), part) {
				t.Errorf("%s: %q does not say %q", args, problems[i], part)
			}
		}
	}
	const apiTLS, raftTLS = " --api-tls-cert /a.cert --api-tls-key /a.key", " --raft-tls-ca /a.ca --raft-tls-cert /a.cert --raft-tls-key /a.key"
	f("--api 10.0.0.1:7410", "give --api-tls-cert and --api-tls-key, or listen on 127.0.0.1 (from flag --api)")
	f("--api :7410", "can be reached from other machines", "add --api-advertise HOST:PORT")
	f("--api :7410"+apiTLS, "does not tell nodes where to dial")
	f("--raft 10.0.0.1:7411", "give --raft-tls-ca, --raft-tls-cert and --raft-tls-key")
	f("--raft :7411"+raftTLS, "does not tell the other keepers where to dial: add --raft-advertise")
	f("--raft 127.0.0.1:7410", "raft.listen: 127.0.0.1:7410 is already used by api.listen")
	f("--api= --socket=", "nobody could ask this keeper")
	f("--api-advertise k1 --raft-advertise :1", "api.advertise: \"k1\" is not HOST:PORT", "raft.advertise: \":1\" is not HOST:PORT")
	f("--api-tls-cert /a.cert", "give both files")
	f("--api-tls-cert /a.cert --api-tls-key /b.key", "private key does not match")
	f("--api-tls-cert /none --api-tls-key /b.key", "open /none")
	f("--raft-tls-cert /a.cert --raft-tls-key /a.key", "raft.tls_ca: whom to trust is not said")
	f("--raft-tls-ca /a.ca", "raft.tls_cert: a certificate and its key belong together")
	f("--raft-tls-ca /no.pem --raft-tls-cert /a.cert --raft-tls-key /a.key", "/no.pem holds no certificate")
	f("--raft-tls-name keeper.test", "there are no certificates to hold \"keeper.test\"")
	f("--id k/1 --state-dir s --socket t", "id:", "state_dir: \"s\": give an absolute path", "socket: \"t\": give an absolute path")
	f("--raft-log memory", "\"memory\" is not one of wal, bolt")
	f("--raft-heartbeat 1ms", "1ms is outside 5ms to 1m0s")
	f("--raft-heartbeat 1s", "raft.election: 250ms is outside the heartbeat's 1s to 1m0s")
	f("--bootstrap-expect 40", "40 is outside 0 to 32", "40 keepers are to found the cluster")
	f("--bootstrap-expect 3 --join 127.0.0.1:1", "--join with this one's own address (127.0.0.1:7411) names 2: give all of them the same list of exactly 3")
	f("--bootstrap-expect 3", "names 1")
	f("--join k1", "join: \"k1\" is not HOST:PORT")
	f("--bootstrap-expct 3", "did you mean --bootstrap-expect?")
	f("serve", "keeper [check-config|sample-config|version|recover] [flags]")
}

func TestRecoverCommand(t *testing.T) {
	p := place{env: map[string]string{"HOME": "/h", "KEEPER_PEER": "k9=z:1", "KEEPER_DRY_RUN": "true"},
		files: map[string]string{FileDefault: "id = \"k1\"\n[api]\nlisten = [\"10.0.0.1:7410\"]\n"}}
	f := func(args string, ok bool, part string) Recovery {
		t.Helper()
		var out, errs bytes.Buffer
		r, got, _ := RecoverCommand(strings.Fields(args), settings.World{Getenv: p.getenv, ReadFile: p.readFile, Stdout: &out, Stderr: &errs})
		if got != ok || !strings.Contains(out.String()+errs.String(), part) {
			t.Errorf("keeper recover %s: %t\n%s%s", args, got, out.String(), errs.String())
		}
		return r
	}
	r := f("--peer k1=10.0.0.1:7411 --peer k4=keeper-4.example:7411", true, "")
	want := []store.Member{{ID: "k1", Address: "10.0.0.1:7411", Voter: true}, {ID: "k4", Address: "keeper-4.example:7411", Voter: true}}
	if !reflect.DeepEqual(r.Members(), want) || r.DryRun || r.Output != "table" || r.ID != "k1" {
		t.Errorf("read %+v", r)
	}
	if r := f("--peer k1=10.0.0.1:7411 --dry-run -o json", true, ""); !r.DryRun || r.Output != "json" {
		t.Errorf("read %+v", r)
	}
	f("", false, "nobody to go on with")
	f("--peer k1", false, "write ID=HOST:PORT")
	f("--peer =10.0.0.1:7411", false, "write ID=HOST:PORT")
	f("--peer k1=10.0.0.1", false, "write ID=HOST:PORT")
	f("--peer k1=a:1 -o yaml", false, "(from flag -o)")
	f("--peer k1=a:1 --dry-rum", false, "did you mean --dry-run?")
	f("--peer k1=a:1 --id k/1", false, "id:")
	f("--help", false, "usage: keeper recover --peer")
}

var host = regexp.MustCompile(`changes \[[^]]*\]`)

// TestHelp holds the texts that people read first; they fit the screen.
func TestHelp(t *testing.T) {
	get := place{env: map[string]string{"HOME": "/h", "STATE_DIRECTORY": "/var/lib/keeper", "RUNTIME_DIRECTORY": "/run/keeper"}}.getenv
	f := func(file string, help func(*bytes.Buffer)) {
		t.Helper()
		var b bytes.Buffer
		help(&b)
		got := host.ReplaceAllString(b.String(), "changes [HOST]")
		file = filepath.Join("testdata", file)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s:\n%s", file, diff)
		}
		for line := range strings.Lines(got) {
			if len([]rune(line)) > 81 {
				t.Errorf("line of %d: %s", len(line), line)
			}
		}
	}
	f("help.txt", func(b *bytes.Buffer) { program().Help(b, get) })
	f("recover.txt", func(b *bytes.Buffer) { recoverProgram().Help(b, get) })
}

func TestKeysAreDistinct(t *testing.T) {
	p, seen := recoverProgram(), map[string]bool{}
	for i := range p.Keys {
		k := &p.Keys[i]
		for _, s := range []string{k.Name, "--" + k.Flag, p.Env(k)} {
			if seen[s] {
				t.Errorf("%s is used twice", s)
			}
			seen[s] = true
		}
	}
}
