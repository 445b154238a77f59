namespace Glimmer.Models.Loading;

/// <summary>Tensor names of GGUF files.</summary>
internal static class GgufNames
{
    private static readonly Dictionary<string, string> _shared = new(StringComparer.Ordinal)
    {
        ["embed_tokens"] = "token_embd",
        ["mtp.embed_tokens"] = "nextn.embed_tokens",
        ["norm"] = "output_norm",
        ["lm_head"] = "output",
        ["input_layernorm"] = "attn_norm",
        ["self_attn.q_proj"] = "attn_q",
        ["self_attn.k_proj"] = "attn_k",
        ["self_attn.v_proj"] = "attn_v",
        ["self_attn.qkv_proj"] = "attn_qkv",
        ["self_attn.o_proj"] = "attn_output",
        ["self_attn.q_norm"] = "attn_q_norm",
        ["self_attn.k_norm"] = "attn_k_norm",
        ["self_attn.q_a_proj"] = "attn_q_a",
        ["self_attn.q_a_layernorm"] = "attn_q_a_norm",
        ["self_attn.q_b_proj"] = "attn_q_b",
        ["self_attn.kv_a_proj_with_mqa"] = "attn_kv_a_mqa",
        ["self_attn.kv_a_layernorm"] = "attn_kv_a_norm",
        ["self_attn.kv_b_proj"] = "attn_kv_b",
        ["self_attn.k_b_proj"] = "attn_k_b",
        ["self_attn.v_b_proj"] = "attn_v_b",
        ["self_attn.indexer.wq_b"] = "indexer.attn_q_b",
        ["self_attn.indexer.wk"] = "indexer.attn_k",
        ["self_attn.indexer.k_norm"] = "indexer.k_norm",
        ["self_attn.indexer.weights_proj"] = "indexer.proj",
        ["mlp.gate_proj"] = "ffn_gate",
        ["mlp.up_proj"] = "ffn_up",
        ["mlp.down_proj"] = "ffn_down",
        ["mlp.gate"] = "ffn_gate_inp",
        ["mlp.gate.e_score_correction_bias"] = "exp_probs_b.bias",
        ["mlp.experts.gate_proj"] = "ffn_gate_exps",
        ["mlp.experts.up_proj"] = "ffn_up_exps",
        ["mlp.experts.down_proj"] = "ffn_down_exps",
        ["mlp.experts.gate_up_proj"] = "ffn_gate_up_exps",
        ["mlp.shared_experts.gate_proj"] = "ffn_gate_shexp",
        ["mlp.shared_experts.up_proj"] = "ffn_up_shexp",
        ["mlp.shared_experts.down_proj"] = "ffn_down_shexp",
        ["eh_proj"] = "nextn.eh_proj",
        ["enorm"] = "nextn.enorm",
        ["hnorm"] = "nextn.hnorm",
        ["shared_head.norm"] = "nextn.shared_head_norm",
        ["shared_head.head"] = "nextn.shared_head_head",
    };

    /// <summary>Names of an architecture: the common table with some entries changed.</summary>
    public static TableNames With(params ReadOnlySpan<(string Canonical, string Stored)> changes)
    {
        Dictionary<string, string> stems = new(_shared, StringComparer.Ordinal);
        foreach ((string canonical, string stored) in changes)
            stems[canonical] = stored;
        return new TableNames("blk.", stems);
    }
}
