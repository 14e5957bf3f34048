#!/usr/bin/env bash
# Compiles samples/NativeScorer to native code, for the instructions of this very CPU, and runs its tests on that program: the same labels, and the same
# probabilities to the last bit, as ML.NET's own transformer gives.
#
# Skips with the reason and exit code 0 where nothing links or the native compiler's package cannot be had; with NATIVE_REQUIRED=1 that is a failure.
# TestResults names the folder that receives the counts, as in .ci/run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

log="$PWD/artifacts/native.log"
program="$PWD/artifacts/native-scorer"
mkdir -p artifacts

skip() {
    echo "The tests of the native scorer are skipped: $1"
    [[ "${NATIVE_REQUIRED:-}" == 1 ]] && exit 1
    exit 0
}

system=$(dotnet --info | awk '$1 == "RID:" { print $2; exit }')
case "$system" in
    linux-*) command -v clang > /dev/null || command -v gcc > /dev/null || skip "neither clang nor gcc is there to link with." ;;
esac
dotnet restore samples/NativeScorer -r "$system" -p:_IsPublishing=true > "$log" 2>&1 || skip "the native compiler for $system cannot be restored (see $log)."
dotnet publish samples/NativeScorer -c Release -r "$system" -p:IlcInstructionSet=native -o "$program" > "$log" 2>&1 || { tail -20 "$log"; exit 1; }
# leaves what a plain restore leaves
dotnet restore samples/NativeScorer -v quiet
MLNETMOE_NATIVE_SCORER="$program/NativeScorer" dotnet test tests/Samples.Tests --filter FullyQualifiedName~NativeScorerTests
