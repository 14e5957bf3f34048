#!/usr/bin/env bash
# Runs the tests of the TorchSharp engine with libtorch for the CPU (the package TorchSharp-cpu, several hundred MB).
#
# TorchSharp's native part needs the libstdc++ of GCC 13.2. Where the system's is older, as in Debian 12, the tests run inside a minimal
# Debian 13 that is made once under artifacts/, from the mirror that apt uses here. That needs root. Its mounts live in a namespace of their
# own, so they end with the tests and the rest of the system never sees them.
#
# Skips with the reason and exit code 0 where libtorch cannot be had or cannot be made to load; with LIBTORCH_REQUIRED=1 that is a failure.
# TestResults names the folder that receives the counts, as in .ci/run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

name=Microsoft.ML.Moe.TorchSharp.Tests
debian=trixie
root="$PWD/artifacts/$debian"
results=$(realpath -m "${TestResults:-artifacts/results}")
log="$PWD/artifacts/libtorch.log"
mkdir -p artifacts "$results"

skip() {
    echo "The TorchSharp engine's tests on libtorch are skipped: $1"
    [[ "${LIBTORCH_REQUIRED:-}" == 1 ]] && exit 1
    exit 0
}

# Makes the Debian root, whole or not at all.
make_root() {
    local id mirror
    id=$(. /etc/os-release && echo "$ID")
    [[ "$id" == debian ]] || skip "$(. /etc/os-release && echo "$PRETTY_NAME") has an older libstdc++, and only on Debian a newer one is fetched."
    ((EUID == 0)) || skip "the libstdc++ here is older than GCC 13.2's, and making a Debian root with a newer one needs root."
    if ! command -v debootstrap > /dev/null; then
        { apt-get update && apt-get install -y --no-install-recommends debootstrap; } > "$log" 2>&1 || skip "debootstrap cannot be installed (see $log)."
    fi
    mirror=$(apt-get indextargets --no-release-info --format '$(RELEASE) $(REPO_URI)' | awk -v release="$(. /etc/os-release && echo "$VERSION_CODENAME")" '$1 == release { print $2; exit }')
    [[ -n "$mirror" ]] || skip "apt has no source for this system's own release, so the mirror to use is not known."
    rm -rf --one-file-system "$root.part"
    unshare --mount --propagation private -- timeout 600 debootstrap --variant=minbase "$debian" "$root.part" "$mirror" > "$log" 2>&1 \
        || { rm -rf --one-file-system "$root.part"; skip "no Debian root could be made from $mirror (see $log)."; }
    mv "$root.part" "$root"
}

# Runs a command inside the root, which sees the SDK, the checkout and the results where they are outside.
inside() {
    local folders=("$(dirname "$(readlink -f "$(command -v dotnet)")")" "$PWD" "$results")
    [[ ! -d ../shared ]] || folders+=("$(realpath -s ../shared)")
    [[ ! -d "${MLNETMOE_GOLDENS:-}" ]] || folders+=("$(realpath "$MLNETMOE_GOLDENS")")
    unshare --mount --propagation private -- bash -euc '
        root=$1 folders=$2; shift 2
        for folder in proc dev; do mount --rbind "/$folder" "$root/$folder"; done
        mount -t tmpfs none "$root/tmp"
        while IFS= read -r folder; do
            mkdir -p "$root$folder"
            mount --bind "$folder" "$root$folder"
        done <<< "$folders"
        exec chroot "$root" env HOME=/tmp OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}" DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 "$@"
    ' - "$root" "$(printf '%s\n' "${folders[@]}")" "$@"
}

dotnet restore tests/$name -p:LibTorch=true || skip "the package TorchSharp-cpu cannot be restored."
nice -n 5 dotnet build -v quiet -p:UseSharedCompilation=true tests/$name --no-restore -p:LibTorch=true
tests=$(dotnet msbuild tests/$name -p:LibTorch=true -getProperty:TargetPath)
native=$(find "$(dirname "$tests")" -name libLibTorchSharp.so -print -quit)
test=("$(readlink -f "$(command -v dotnet)")" test "$tests" --results-directory "$results" --filter "FullyQualifiedName~TorchFeatureModel|FullyQualifiedName~EnginesAgree")

# The loader names each library or version of a library that is missing. Systems without ELF libraries load what their package brings.
# (Not grep -q: it ends at the first line, and the loader, still writing then, would make the pipe fail as if nothing were missing.)
if [[ -z "$native" ]] || ! ldd "$native" 2>&1 | grep 'not found' > /dev/null; then
    "${test[@]}"
else
    unshare --mount --propagation private true 2> /dev/null || skip "the libstdc++ here is older than GCC 13.2's, and mounts, which a newer Debian beside it needs, are not permitted."
    [[ -d "$root" ]] || make_root
    inside "${test[@]}"
fi
