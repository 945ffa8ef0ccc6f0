//! Kubernetes: an Indexed Job, one index per shard, and a suspended Job that joins their runs.
//!
//! An index that failed is tried again on another node, and goes on with the run in its folder, unless its exit code says that it would end so again: 2 (wrong input),
//! 4 (this testbed cannot be used) and 5 (a finding). Exit code 3 (trials are missing) is worth another try. Fields: batch/v1 Job of Kubernetes 1.33, in which
//! `backoffLimitPerIndex` is stable. Devices: those of KubeVirt's device plugin. Errors: none. Tests: `engine/tests.rs`, `tests/engines.rs`.

use super::fleet::Fleet;
use super::quote::{dollars, yaml};

/// What is the same for every fleet. `SHARDS`, `SEED` and `ARGUMENTS` are filled in. Kubernetes itself reads `$(…)` and `$$` in it.
const JOBS: &str = r#"# Made by `rig matrix plan --format kubernetes`. Set the image, and the claim of a volume that all nodes can write.
# When the shards have ended: kubectl patch job/rig-join --patch '{"spec":{"suspend":false}}'
apiVersion: batch/v1
kind: Job
metadata:
  name: rig-shards
spec:
  completionMode: Indexed
  completions: SHARDS
  parallelism: SHARDS
  # Exit code 3, a lost pod, or a lost node: the index goes on with its run.
  backoffLimitPerIndex: 2
  podFailurePolicy:
    rules:
      - action: Ignore
        onPodConditions:
          - type: DisruptionTarget
            status: "True"
      # 2: wrong input, 4: this testbed cannot be used, 5: a finding. Another try would end so again.
      - action: FailIndex
        onExitCodes:
          containerName: rig
          operator: In
          values: [2, 4, 5]
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: rig
          image: rig:latest
          command:
            - /bin/sh
            - -c
            - |
              shard=$$((JOB_COMPLETION_INDEX + 1))
              folder=/shards/$$shard
              for run in "$$folder"/*/run.json; do
                [ ! -e "$$run" ] || exec rig matrix run --resume latest --results "$$folder"
              done
              exec rig matrix run --shard "$$shard/SHARDS" --seed SEED --results "$$folder" "$$@"
            - rig
          args: ARGUMENTS
          resources:
            limits:
              devices.kubevirt.io/kvm: "1"
              devices.kubevirt.io/vhost-net: "1"
              devices.kubevirt.io/tun: "1"
          securityContext:
            runAsUser: 0
            # Namespaces, networks and mounts of its own; the default profiles forbid them.
            capabilities:
              add: [SYS_ADMIN, NET_ADMIN, NET_RAW, SYS_PTRACE]
            seccompProfile:
              type: Unconfined
            appArmorProfile:
              type: Unconfined
          volumeMounts:
            - name: shards
              mountPath: /shards
      volumes:
        - name: shards
          persistentVolumeClaim:
            claimName: rig-shards
---
apiVersion: batch/v1
kind: Job
metadata:
  name: rig-join
spec:
  suspend: true
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: rig
          image: rig:latest
          command:
            - /bin/sh
            - -c
            - |
              set --
              for run in /shards/[0-9]*/*/run.json; do
                [ ! -e "$$run" ] || set -- "$$@" "$${run%/run.json}"
              done
              exec rig results merge "$$@" --results /shards/joined
          volumeMounts:
            - name: shards
              mountPath: /shards
      volumes:
        - name: shards
          persistentVolumeClaim:
            claimName: rig-shards
"#;

pub(super) fn render(fleet: &Fleet) -> String {
    let words: Vec<String> = fleet.words.iter().map(|word| yaml(&dollars(word))).collect();
    JOBS.replace("SHARDS", &fleet.shards.to_string())
        .replace("SEED", &fleet.seed.to_string())
        .replace("ARGUMENTS", &format!("[{}]", words.join(", ")))
}
