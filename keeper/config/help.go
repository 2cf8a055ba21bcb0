package config

const helpHead = `keeper: keeps the knobs of a fleet of pushd, alone or three or five together

usage: keeper [flags]               serve until SIGTERM or ctrl-C
       keeper check-config [flags]  print the configuration, or what is wrong
       keeper recover [flags]       go on when most keepers are lost for good
       keeper sample-config [env]  a file or an environment to begin with
       keeper version
`

const helpTail = `
Configuration file
  --config FILE         default /etc/keeper/keeper.toml, which may be absent

Each flag is also a key of the file (--state-dir is state_dir, --api is listen
in [api], --raft-tls-ca is tls_ca in [raft]) and an environment variable
(KEEPER_STATE_DIR; lists with commas). Flags win over the environment, the
environment over the file.

With neither --join nor --bootstrap-expect a keeper founds a cluster of its own
on its first start. One machine needs no keeper at all: pushd has one inside.

example: three keepers, the same command on each with its own name and address
  keeper --id k1 --raft 10.0.0.1:7411 --bootstrap-expect 3 \
         --join 10.0.0.1:7411,10.0.0.2:7411,10.0.0.3:7411 \
         --raft-tls-ca ca.pem --raft-tls-cert k1.pem --raft-tls-key k1.key \
         --api 10.0.0.1:7410 --api-tls-cert k1.pem --api-tls-key k1.key
`

const recoverHead = `keeper recover: go on when most keepers are lost for good

usage: keeper recover --peer ID=HOST:PORT [--peer …] --dry-run
       keeper recover --peer ID=HOST:PORT [--peer …]

As long as most keepers can come back, start them instead: nothing is lost then.
Otherwise stop those that are left, look with --dry-run on each which of them
knows most, and run the same command on each of them before they start again.
Keepers that are given up cannot come back with their old state.
`

const recoverTail = `
The file and the variables of the keeper are read, so that its name and its
state are found where it has them (keeper --help). The keeper must not run.
`
