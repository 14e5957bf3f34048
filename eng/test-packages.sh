#!/usr/bin/env bash
# Packs what users get into artifacts/packages and tests it as a user has it: tests/Packages.Tests restores the packages from that folder,
# checks what is in them, then fits, saves and loads a model.
# TestResults names the folder that receives the counts, as in .ci/run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

rm -rf artifacts/packages artifacts/package-cache/mlnetmoe*
for project in Microsoft.ML.Moe.Core Microsoft.ML.Moe.TorchSharp Microsoft.ML.Moe Microsoft.ML.Moe.Extensions.AI Microsoft.ML.Moe.Mpi Microsoft.ML.Moe.Onnx Microsoft.ML.Moe.Cluster Encoders/MlNetMoe.MiniLM Encoders/MlNetMoe.ArcticXs Encoders/MlNetMoe.ResNet18; do
    dotnet pack "src/$project" -c Debug -o artifacts/packages -v quiet
done
dotnet restore tests/Packages.Tests --force -v quiet
dotnet test tests/Packages.Tests --no-restore
