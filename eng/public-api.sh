#!/usr/bin/env bash
# Brings PublicAPI.Unshipped.txt of every packed project up to date with the code: what is public and not in PublicAPI.Shipped.txt, and what
# that file lists and is gone. Review the difference like any other change.
#   eng/public-api.sh          after a change of public members
#   eng/public-api.sh --ship   at a release: all that is public now counts as shipped
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 LC_ALL=C RunAnalyzers=true

header='#nullable enable'
for project in Microsoft.ML.Moe.Core Microsoft.ML.Moe.TorchSharp Microsoft.ML.Moe Microsoft.ML.Moe.Extensions.AI Microsoft.ML.Moe.Mpi Microsoft.ML.Moe.Onnx Microsoft.ML.Moe.Cluster; do
    shipped="src/$project/PublicAPI.Shipped.txt" unshipped="src/$project/PublicAPI.Unshipped.txt"
    echo "$header" > "$unshipped"
    [[ "${1:-}" != --ship ]] || echo "$header" > "$shipped"
    # With no more than warnings the build goes on to the end, and the analyzer names every difference in one.
    messages=$(dotnet build "src/$project" --no-incremental -p:TreatWarningsAsErrors=false -p:WarningsAsErrors= -v minimal) || { echo "$messages" >&2; exit 1; }
    [[ "${1:-}" != --ship ]] || unshipped="$shipped"
    {
        echo "$header"
        {
            sed -n "s/.* RS0016: Symbol '\(.*\)' is not part of the declared public API.*/\1/p" <<< "$messages"
            sed -n "s/.* RS0017: Symbol '\(.*\)' is part of the declared API, but.*/*REMOVED*\1/p" <<< "$messages"
        } | sort -u
    } > "$unshipped"
done
git --no-pager diff --stat -- src/*/PublicAPI.*.txt
