using Glimmer.Kernels;

namespace Glimmer.Models.Configuration;

/// <summary>Reads the metadata of a GGUF file, whose keys begin with the architecture's name.</summary>
internal sealed class GgufConfig(ConfigFields fields, string architecture, int embeddingRows) : IConfigReader
{
    /// <inheritdoc/>
    public string File => fields.File;

    /// <summary>Whether the rotated rows of q and k were permuted to half-split order, as vision conversions do.</summary>
    public bool Permuted => fields.Has(Key("rope.dimension_sections"));

    /// <inheritdoc/>
    public ModelConfig Common(string canonical)
    {
        int hidden = fields.Int(Key("embedding_length"), 1, ConfigLimits.Hidden);
        int heads = fields.Int(Key("attention.head_count"), 1, ConfigLimits.Heads);
        int kvHeads = fields.Int(Key("attention.head_count_kv"), 1, ConfigLimits.Heads, heads);
        ConfigParts.CheckHeads(fields, Key("attention.head_count_kv"), heads, kvHeads);
        bool latent = fields.Has(Key("attention.kv_lora_rank"));
        if (!fields.Has(Key("attention.key_length")) && hidden % heads != 0)
            throw fields.Fault(Key("attention.head_count"), (long)heads, $"a divisor of the width {hidden} when key_length is absent");
        int headDim = fields.Int(Key("attention.key_length"), 1, ConfigLimits.Rank, Math.Max(1, hidden / heads));
        if (!latent && fields.Int(Key("attention.value_length"), 1, ConfigLimits.Rank, headDim) != headDim)
            throw fields.Fault(Key("attention.value_length"), fields.Value(Key("attention.value_length")), $"the key length {headDim}");
        int nextN = fields.Int(Key("nextn_predict_layers"), 0, ConfigLimits.NextN, 0);
        int blocks = fields.Int(Key("block_count"), 1, ConfigLimits.Layers);
        if (blocks <= nextN)
            throw fields.Fault(Key("block_count"), (long)blocks, $"more than the {nextN} next-n layers it includes");
        return new ModelConfig
        {
            File = File,
            Architecture = canonical,
            VocabularySize = fields.Int(Key("vocab_size"), 1, ConfigLimits.Vocabulary, embeddingRows),
            HiddenSize = hidden,
            Layers = blocks - nextN,
            NextNLayers = nextN,
            FeedForwardWidth = fields.Int(Key("feed_forward_length"), 1, ConfigLimits.Width),
            ContextLength = fields.Int(Key("context_length"), 1, ConfigLimits.Context),
            NormEpsilon = (float)fields.Real(Key("attention.layer_norm_rms_epsilon"), ConfigLimits.EpsilonMin, ConfigLimits.EpsilonMax),
            TiedEmbeddings = null,
            Attention = new AttentionConfig(heads, kvHeads, headDim, null, null),
        };
    }

    /// <inheritdoc/>
    public RopeConfig Rope(int headDim, RotaryPairing pairing)
    {
        string countKey = Key("rope.dimension_count");
        int dimensions = fields.Int(countKey, 1, ConfigLimits.Rank, headDim);
        ConfigParts.CheckRotation(fields, countKey, (long)dimensions, dimensions, headDim);
        double theta = fields.Real(Key("rope.freq_base"), ConfigLimits.ThetaMin, ConfigLimits.ThetaMax, 10000);
        string type = fields.Text(Key("rope.scaling.type")) ?? "none";
        string factorKey = Key("rope.scaling.factor");
        switch (type)
        {
            case "none":
                return new RopeConfig(dimensions, theta, pairing, 1, null);
            case "linear":
                return new RopeConfig(dimensions, theta, pairing, fields.Real(factorKey, 1, 1e6, 1), null);
            case "yarn":
                double factor = fields.Real(factorKey, 1, 1e6);
                int original = fields.Int(Key("rope.scaling.original_context_length"), 1, ConfigLimits.Context);
                double magnitude = fields.Real(Key("rope.scaling.attn_factor"), 1e-6, 1e6, 1) * ConfigParts.YarnMagnitude(factor);
                return new RopeConfig(dimensions, theta, pairing, 1, new YarnConfig(
                    factor,
                    original,
                    fields.Real(Key("rope.scaling.yarn_beta_fast"), 1e-3, 1e6, 32),
                    fields.Real(Key("rope.scaling.yarn_beta_slow"), 1e-3, 1e6, 1),
                    magnitude,
                    true));
            default:
                throw fields.Fault(Key("rope.scaling.type"), type, "one of none, linear, yarn");
        }
    }

    /// <inheritdoc/>
    public MoeConfig Moe(int layers)
    {
        int dense = fields.Int(Key("leading_dense_block_count"), 0, ConfigLimits.Layers, 0);
        bool[] sparse = new bool[layers];
        for (int i = dense; i < layers; i++)
            sparse[i] = true;
        MoeConfig moe = new(
            fields.Int(Key("expert_count"), 1, ConfigLimits.Experts),
            fields.Int(Key("expert_used_count"), 1, ConfigLimits.Experts),
            fields.Int(Key("expert_feed_forward_length"), 1, ConfigLimits.Width),
            fields.Int(Key("expert_shared_count"), 0, 64, 0),
            fields.Int(Key("expert_group_count"), 1, ConfigLimits.Experts, 1),
            fields.Int(Key("expert_group_used_count"), 1, ConfigLimits.Experts, 1),
            fields.Flag(Key("expert_weights_norm"), false),
            fields.Real(Key("expert_weights_scale"), 1e-6, 1e6, 1),
            Score(layers),
            sparse);
        ConfigParts.CheckExperts(fields, moe, Key("expert_used_count"), Key("expert_group_count"), Key("expert_group_used_count"));
        return moe;
    }

    /// <inheritdoc/>
    public LatentConfig Latent()
    {
        int rank = fields.Int(Key("attention.kv_lora_rank"), 1, ConfigLimits.Rank);
        int rope = fields.Int(Key("rope.dimension_count"), 2, ConfigLimits.HeadDim);

        // Files without the *_mla keys store the full head here; those with them store the latent's width.
        string keyLength = fields.Has(Key("attention.key_length_mla")) ? Key("attention.key_length_mla") : Key("attention.key_length");
        string valueLength = fields.Has(Key("attention.value_length_mla")) ? Key("attention.value_length_mla") : Key("attention.value_length");
        int head = fields.Int(keyLength, 1, ConfigLimits.HeadDim);
        if (head <= rope)
            throw fields.Fault(keyLength, (long)head, $"more than the {rope} rotated components it includes");
        return new LatentConfig(
            fields.Int(Key("attention.q_lora_rank"), 1, ConfigLimits.Rank),
            rank,
            head - rope,
            rope,
            fields.Int(valueLength, 1, ConfigLimits.HeadDim));
    }

    /// <inheritdoc/>
    public IndexerConfig Indexer(int layers)
    {
        string typesKey = Key("attention.indexer.types");
        bool[] full;
        if (fields.Items(typesKey) is { } types)
        {
            if (types.Count < layers)
                throw fields.Fault(typesKey, types.ToArray(), $"a list with an entry for each of the {layers} layers");
            full = [.. types.Take(layers).Select(type => type as bool? ?? throw fields.Fault(typesKey, type, "a list of true (full) and false (shared)"))];
        }
        else
        {
            // GLM-5 and 5.1 have an indexer in every layer; GLM-5.2 (a million positions) shares by fours.
            bool sharing = fields.Int(Key("context_length"), 1, ConfigLimits.Context) >= 1 << 20;
            full = ConfigParts.IndexerSchedule(layers, sharing ? 4 : 1, sharing ? 3 : 2);
        }

        return new IndexerConfig(
            fields.Int(Key("attention.indexer.head_count"), 1, ConfigLimits.Heads),
            fields.Int(Key("attention.indexer.key_length"), 1, ConfigLimits.HeadDim),
            fields.Int(Key("attention.indexer.top_k"), 1, ConfigLimits.TopK),
            full,
            1);
    }

    /// <inheritdoc/>
    public LinearAttentionConfig Linear(int layers) => throw NotInGguf("linear attention");

    /// <inheritdoc/>
    public HyperConnectionConfig Hyper() => throw NotInGguf("hyper-connections");

    /// <inheritdoc/>
    public float? SwigluLimit() => null;

    private string Key(string name) => $"{architecture}.{name}";

    private ExpertGating Score(int layers)
    {
        string key = Key("expert_gating_func");
        if (!fields.Has(key))
        {
            // Early files of GLM-4.7-Flash lack the key; its shape tells them from DeepSeek's softmax models.
            bool flash = embeddingRows == 154880 && layers is 47 or 48;
            return architecture != "deepseek2" || flash ? ExpertGating.Sigmoid : ExpertGating.Softmax;
        }

        return fields.Int(key, 0, 255) switch
        {
            1 => ExpertGating.Softmax,
            2 => ExpertGating.Sigmoid,
            int other => throw fields.Fault(key, (long)other, "1 (softmax) or 2 (sigmoid)"),
        };
    }

    private ModelFileException NotInGguf(string part) => new(File, $"GGUF files of architecture \"{architecture}\" have no {part}.");
}
