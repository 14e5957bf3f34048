using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Published models that write, for comparison with what the original writes.</summary>
internal static class GoldenGenerativeModel
{
    /// <summary>Loads a model; null where its architecture is not known here.</summary>
    /// <param name="path">Its folder.</param>
    /// <param name="engine">Where it shall live.</param>
    /// <param name="cached">Whether it keeps what it has seen, or begins again with each token.</param>
    /// <returns>The model, given whether prompts are padded on the left.</returns>
    public static Func<bool, IGenerativeModel>? Open(string path, Engine engine, bool cached)
    {
        var type = PublishedFolder.ReadConfig(Path.Combine(path, "config.json")).Text("model_type", "");
        var isEncoderDecoder = PublishedArchitectures.KnowsEncoderDecoder(type);
        if (!PublishedArchitectures.KnowsCausal(type) && !isEncoderDecoder)
            return null;
        var folder = PublishedFolder.Open(path);
        if (isEncoderDecoder)
        {
            var writer = GoldenDecoding.Load(folder, engine);
            // padding competes for experts, as in the original
            if (writer.Experts > 0)
                writer = writer.WithRouting(writer.Router with { MaskPadding = false });
            return padsLeft => new EncoderDecoderModel(writer, cached, padsLeft);
        }

        var input = new PublishedTextInput(PublishedTextInputConfig.Of(folder.Encoder), new LetterIds());
        var model = new CausalModel(folder.Load(engine, input, new NextTokenHeadConfig()));
        return _ => cached ? model : new WholePasses(model);
    }

    /// <summary>A causal model that reads everything again for each token.</summary>
    private sealed class WholePasses(IGenerativeModel model) : IGenerativeModel
    {
        public int VocabularySize => model.VocabularySize;

        public int MaximumTokens => model.MaximumTokens;

        public int ContextLength(int[] prompt) => model.ContextLength(prompt);

        public void CheckPrompt(int[] prompt, string name) => model.CheckPrompt(prompt, name);

        public Decoding Begin(IReadOnlyList<int[]> prompts, int copies, int capacity) => new Decoded(model, prompts, copies);

        private sealed class Decoded(IGenerativeModel model, IReadOnlyList<int[]> prompts, int copies) : Decoding
        {
            private int[][] _tokens = [.. prompts.SelectMany(prompt => Enumerable.Repeat(prompt, copies))];

            public override int Sequences => _tokens.Length;

            public override int VocabularySize => model.VocabularySize;

            public override ReadOnlySpan<int> ContextOf(int sequence) => prompts[sequence / copies];

            public override void Next(ReadOnlySpan<int> tokens, Span<float> scores)
            {
                for (var i = 0; i < tokens.Length; i++)
                    if (tokens[i] != Ended)
                        _tokens[i] = [.. _tokens[i], tokens[i]];
                using var pass = model.Begin(_tokens, 1, 1);
                pass.Next([], scores);
            }

            public override void Reorder(ReadOnlySpan<int> sources) => _tokens = [.. sources.ToArray().Select(source => _tokens[source])];

            protected override void Dispose(bool disposing)
            {
            }
        }
    }
}
