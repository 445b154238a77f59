using Glimmer.Kernels;

namespace Glimmer.Models.Configuration;

/// <summary>
/// Reads <c>config.json</c> in the spellings of transformers 4 and 5 and of the older ChatGLM code. Multimodal files
/// are entered at their <c>text_config</c>.
/// </summary>
internal sealed class HuggingFaceConfig : IConfigReader
{
    private readonly ConfigFields _fields;
    private readonly bool _legacy;

    /// <summary>Reads from <paramref name="root"/>, the top of the file.</summary>
    public HuggingFaceConfig(ConfigFields root)
    {
        ModelType = root.Text("model_type") ?? throw root.Missing("model_type", "the name of an architecture");
        _legacy = ModelType == "chatglm";
        _fields = root.Section("text_config") ?? root;
        Root = root;
    }

    /// <summary>Top of the file.</summary>
    public ConfigFields Root { get; }

    /// <summary><c>model_type</c> at the top.</summary>
    public string ModelType { get; }

    /// <inheritdoc/>
    public string File => _fields.File;

    /// <inheritdoc/>
    public ModelConfig Common(string architecture)
    {
        if (_legacy)
            CheckLegacy();
        CheckActivation();
        int hidden = _fields.Int("hidden_size", 1, ConfigLimits.Hidden);
        int heads = _fields.Int("num_attention_heads", 1, ConfigLimits.Heads);
        string kvKey = Key("num_key_value_heads", "multi_query_group_num");
        int kvHeads = _legacy && !_fields.Flag("multi_query_attention", true) ? heads : _fields.Int(kvKey, 1, ConfigLimits.Heads, heads);
        ConfigParts.CheckHeads(_fields, kvKey, heads, kvHeads);
        string headKey = Key("head_dim", "kv_channels");
        if (!_fields.Has(headKey) && !_fields.Has("kv_lora_rank") && hidden % heads != 0)
            throw _fields.Fault("num_attention_heads", (long)heads, $"a divisor of hidden_size {hidden} when \"{headKey}\" is absent");
        ModelConfig config = new()
        {
            File = File,
            Architecture = architecture,
            VocabularySize = _fields.Int(Key("vocab_size", "padded_vocab_size"), 1, ConfigLimits.Vocabulary),
            HiddenSize = hidden,
            Layers = _fields.Int(Key("num_hidden_layers", "num_layers"), 1, ConfigLimits.Layers),
            NextNLayers = _fields.Int(_fields.Has("num_nextn_predict_layers") ? "num_nextn_predict_layers" : "num_mtp_layers", 0, ConfigLimits.NextN, 0),
            FeedForwardWidth = _fields.Int(Key("intermediate_size", "ffn_hidden_size"), 1, ConfigLimits.Width),
            ContextLength = _fields.Int(Key("max_position_embeddings", "seq_length"), 1, ConfigLimits.Context, 131072),
            NormEpsilon = (float)_fields.Real(Key("rms_norm_eps", "layernorm_epsilon"), ConfigLimits.EpsilonMin, ConfigLimits.EpsilonMax, 1e-5),
            TiedEmbeddings = _fields.Flag("tie_word_embeddings", Root.Flag("tie_word_embeddings", false)),
            Attention = new AttentionConfig(
                heads,
                kvHeads,
                _fields.Int(headKey, 1, ConfigLimits.HeadDim, Math.Max(1, hidden / heads)),
                _fields.Flag(Key("attention_bias", "add_qkv_bias"), false),
                _fields.Has("use_qk_norm") ? _fields.Flag("use_qk_norm", false) : null),
        };
        return config;
    }

    /// <inheritdoc/>
    public RopeConfig Rope(int headDim, RotaryPairing pairing)
    {
        if (_legacy)
        {
            double ratio = _fields.Real("rope_ratio", 1e-3, 1e9, 1);
            ConfigParts.CheckRotation(_fields, "kv_channels", (long)headDim, headDim / 2, headDim);
            return new RopeConfig(headDim / 2, 10000 * ratio, RotaryPairing.Interleaved, 1, null);
        }

        // transformers 5 puts everything under rope_parameters, 4 keeps theta and the fraction at the top.
        ConfigFields? scaling = _fields.Section("rope_parameters") ?? _fields.Section("rope_scaling");
        ConfigFields thetaAt = scaling is not null && scaling.Has("rope_theta") ? scaling : _fields;
        double theta = thetaAt.Real("rope_theta", ConfigLimits.ThetaMin, ConfigLimits.ThetaMax, 10000);
        int dimensions = RotatedPart(scaling, headDim);
        if (!_fields.Flag("rope_interleave", true))
            pairing = RotaryPairing.HalfSplit;
        string type = scaling?.Text("rope_type") ?? scaling?.Text("type") ?? "default";
        string typeKey = scaling is not null && scaling.Has("rope_type") ? "rope_type" : "type";
        return type switch
        {
            "default" or "mrope" => new RopeConfig(dimensions, theta, pairing, 1, null),
            "linear" => new RopeConfig(dimensions, theta, pairing, scaling!.Real("factor", 1, 1e6), null),
            "yarn" => new RopeConfig(dimensions, theta, pairing, 1, Yarn(scaling!)),
            _ => throw scaling!.Fault(typeKey, type, "one of default, linear, yarn, mrope"),
        };
    }

    /// <inheritdoc/>
    public MoeConfig Moe(int layers)
    {
        MoeConfig moe = new(
            _fields.Int("n_routed_experts", 1, ConfigLimits.Experts),
            _fields.Int("num_experts_per_tok", 1, ConfigLimits.Experts),
            _fields.Int("moe_intermediate_size", 1, ConfigLimits.Width),
            _fields.Int("n_shared_experts", 0, 64, 0),
            _fields.Int("n_group", 1, ConfigLimits.Experts, 1),
            _fields.Int("topk_group", 1, ConfigLimits.Experts, 1),
            _fields.Flag("norm_topk_prob", true),
            _fields.Real("routed_scaling_factor", 1e-6, 1e6, 1),
            ScoreFunction(),
            SparseLayers(layers));
        ConfigParts.CheckExperts(_fields, moe, "num_experts_per_tok", "n_group", "topk_group");
        if (_fields.Int("moe_layer_freq", 0, ConfigLimits.Layers, 1) != 1)
            throw _fields.Fault("moe_layer_freq", (long)_fields.Int("moe_layer_freq", 0, ConfigLimits.Layers), "1");
        if (_fields.Text("topk_method") is { } method && method != "noaux_tc")
            throw _fields.Fault("topk_method", method, "noaux_tc");
        return moe;
    }

    /// <inheritdoc/>
    public LatentConfig Latent() => new(
        _fields.Int("q_lora_rank", 1, ConfigLimits.Rank),
        _fields.Int("kv_lora_rank", 1, ConfigLimits.Rank),
        _fields.Int("qk_nope_head_dim", 1, ConfigLimits.HeadDim),
        _fields.Int("qk_rope_head_dim", 0, ConfigLimits.HeadDim),
        _fields.Int("v_head_dim", 1, ConfigLimits.HeadDim));

    /// <inheritdoc/>
    public IndexerConfig Indexer(int layers)
    {
        int topK = _fields.Int("index_topk", 1, ConfigLimits.TopK);
        int pool = _fields.Int("index_kpool", 1, 4096, 1);
        if (pool > 1 && topK % pool != 0)
            throw _fields.Fault("index_topk", (long)topK, $"a multiple of index_kpool {pool}");
        foreach (string required in (string[])["index_kpool_compress", "index_kpool_always_select_tail", "indexer_rope_interleave", "rope_interleave"])
        {
            if (!_fields.Flag(required, true))
                throw _fields.Fault(required, false, "true");
        }

        return new IndexerConfig(
            _fields.Int("index_n_heads", 1, ConfigLimits.Heads),
            _fields.Int("index_head_dim", 1, ConfigLimits.HeadDim),
            topK,
            IndexerLayers(layers),
            pool);
    }

    /// <inheritdoc/>
    public LinearAttentionConfig Linear(int layers)
    {
        ConfigFields linear = _fields.Section("linear_attn_config") ?? throw _fields.Missing("linear_attn_config", "an object");
        foreach (string required in (string[])["mhc", "mla_use_nope"])
        {
            if (!_fields.Flag(required, true))
                throw _fields.Fault(required, false, "true");
        }

        bool[] isLinear = new bool[layers];
        if (_fields.Items("layer_types") is { } types)
        {
            CheckLength("layer_types", types, layers);
            for (int i = 0; i < layers; i++)
            {
                isLinear[i] = (types[i] as string) switch
                {
                    "linear_attention" => true,
                    "deepseek_sparse_attention" or "indexed_attention" or "full_attention" => false,
                    _ => throw _fields.Fault("layer_types", types[i], "a list of linear_attention, deepseek_sparse_attention, indexed_attention, full_attention"),
                };
            }
        }
        else
        {
            foreach (int layer in linear.Ints("kda_layers"))
            {
                if (layer >= layers)
                    throw linear.Fault("kda_layers", (long)layer, $"layers below {layers}");
                isLinear[layer] = true;
            }
        }

        return new LinearAttentionConfig(
            linear.Int("num_heads", 1, ConfigLimits.Heads),
            linear.Int("head_dim", 1, ConfigLimits.HeadDim),
            linear.Int("short_conv_kernel_size", 1, 64),
            linear.Has("gate_lower_bound") ? linear.Real("gate_lower_bound", -1e6, 0) : null,
            isLinear);
    }

    /// <inheritdoc/>
    public HyperConnectionConfig Hyper() => new(
        _fields.Int("hc_mult", 1, 64),
        _fields.Real("hc_eps", 0, ConfigLimits.EpsilonMax, 1e-6),
        _fields.Int("hc_sinkhorn_iters", 1, 1000));

    /// <inheritdoc/>
    public float? SwigluLimit() => _fields.Has("swiglu_limit") ? (float)_fields.Real("swiglu_limit", 1e-3, 1e9) : null;

    private string Key(string modern, string legacy) => _legacy ? legacy : modern;

    private int RotatedPart(ConfigFields? scaling, int headDim)
    {
        ConfigFields at = scaling is not null && scaling.Has("partial_rotary_factor") ? scaling : _fields;
        double fallback = _fields.Has("kv_lora_rank") ? 1 : 0.5;
        double fraction = at.Real("partial_rotary_factor", 0.001, 1, fallback);
        int dimensions = (int)(headDim * fraction);
        ConfigParts.CheckRotation(at, "partial_rotary_factor", fraction, dimensions, headDim);
        return dimensions;
    }

    private YarnConfig Yarn(ConfigFields scaling)
    {
        double factor = scaling.Real("factor", 1, 1e6);
        double magnitude = ConfigParts.YarnMagnitude(factor);
        if (scaling.Has("attention_factor"))
            magnitude = scaling.Real("attention_factor", 1e-6, 1e6);
        else if (scaling.Has("mscale") && scaling.Has("mscale_all_dim"))
            magnitude = ConfigParts.YarnMagnitude(factor, scaling.Real("mscale", 1e-6, 1e6)) / ConfigParts.YarnMagnitude(factor, scaling.Real("mscale_all_dim", 1e-6, 1e6));
        int original = scaling.Int("original_max_position_embeddings", 1, ConfigLimits.Context, _fields.Int("max_position_embeddings", 1, ConfigLimits.Context, 131072));
        return new YarnConfig(
            factor,
            original,
            scaling.Real("beta_fast", 1e-3, 1e6, 32),
            scaling.Real("beta_slow", 1e-3, 1e6, 1),
            magnitude,
            scaling.Flag("truncate", true));
    }

    private ExpertGating ScoreFunction() => _fields.Text("scoring_func") switch
    {
        null or "sigmoid" => ExpertGating.Sigmoid,
        "softmax" => ExpertGating.Softmax,
        string other => throw _fields.Fault("scoring_func", other, "sigmoid or softmax"),
    };

    private bool[] SparseLayers(int layers)
    {
        bool[] sparse = new bool[layers];
        if (_fields.Items("mlp_layer_types") is { } types)
        {
            CheckLength("mlp_layer_types", types, layers);
            for (int i = 0; i < layers; i++)
            {
                sparse[i] = (types[i] as string) switch
                {
                    "sparse" => true,
                    "dense" => false,
                    _ => throw _fields.Fault("mlp_layer_types", types[i], "a list of dense and sparse"),
                };
            }

            return sparse;
        }

        int dense = _fields.Int("first_k_dense_replace", 0, ConfigLimits.Layers, 1);
        for (int i = dense; i < layers; i++)
            sparse[i] = true;
        return sparse;
    }

    private IReadOnlyList<bool> IndexerLayers(int layers)
    {
        if (_fields.Items("indexer_types") is { } types)
        {
            CheckLength("indexer_types", types, layers);
            return [.. types.Select(type => IsFull("indexer_types", type))];
        }

        if (_fields.Has("index_topk_pattern"))
        {
            // Either one string of letters or a list.
            IReadOnlyList<object> pattern = _fields.Value("index_topk_pattern") is string letters
                ? [.. letters.Select(letter => (object)letter.ToString())]
                : _fields.Items("index_topk_pattern")!;
            CheckLength("index_topk_pattern", pattern, layers);
            return [.. pattern.Select(type => IsFull("index_topk_pattern", type))];
        }

        int frequency = _fields.Int("index_topk_freq", 1, ConfigLimits.Layers, 1);
        int offset = _fields.Int("index_skip_topk_offset", 0, ConfigLimits.Layers, 2);
        return ConfigParts.IndexerSchedule(layers, frequency, offset);
    }

    private bool IsFull(string key, object type) => (type as string) switch
    {
        "full" or "F" => true,
        "shared" or "S" => false,
        _ => throw _fields.Fault(key, type, "a list of full and shared (or of F and S)"),
    };

    private void CheckLength(string key, IReadOnlyList<object> items, int layers)
    {
        if (items.Count < layers)
            throw _fields.Fault(key, items.ToArray(), $"a list with an entry for each of the {layers} layers");
    }

    private void CheckActivation()
    {
        if (_fields.Text("hidden_act") is { } activation && activation is not ("silu" or "swish"))
            throw _fields.Fault("hidden_act", activation, "silu");
    }

    private void CheckLegacy()
    {
        (string Key, bool Legal)[] flags =
        [
            ("add_bias_linear", false), ("rmsnorm", true), ("post_layer_norm", true),
            ("apply_residual_connection_post_layernorm", false), ("original_rope", true),
        ];
        foreach ((string key, bool legal) in flags)
        {
            if (_fields.Flag(key, legal) != legal)
                throw _fields.Fault(key, !legal, legal ? "true" : "false");
        }
    }
}
