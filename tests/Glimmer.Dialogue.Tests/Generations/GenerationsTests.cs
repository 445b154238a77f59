using Glimmer.Dialogue.Generations;

namespace Glimmer.Dialogue.Tests.Generations;

public sealed class GenerationsTests
{
    [Fact]
    public void Every_generation_is_found_by_its_name()
    {
        Assert.Equal(16, Dialogue.Generations.Generations.All.Count);
        Assert.All(Dialogue.Generations.Generations.All, generation => Assert.Same(generation, Dialogue.Generations.Generations.ForName(generation.Name)));
        ArgumentException fault = Assert.Throws<ArgumentException>(() => Dialogue.Generations.Generations.ForName("glm-9"));
        Assert.Contains("glm-4.7", fault.Message);
    }

    [Theory]
    [InlineData("glm4moe", null, "GLM-4.5-Air-Q4_K_M.gguf", "glm-4.5", GenerationEvidence.Name)]
    [InlineData("glm4_moe", null, "zai-org/GLM-4.6", "glm-4.5", GenerationEvidence.Name)]
    [InlineData("deepseek2", null, "glm-4.7-flash", "glm-4.7", GenerationEvidence.Name)]
    [InlineData("glm_moe_dsa", null, "GLM_5_2", "glm-5.2", GenerationEvidence.Name)]
    [InlineData("glm_moe_dsa", null, null, "glm-5", GenerationEvidence.Architecture)]
    [InlineData("glm4", null, "my-tune", "glm-4-0414", GenerationEvidence.Architecture)]
    [InlineData("glm4", null, "GLM-Z1-9B-0414", "glm-z1", GenerationEvidence.Name)]
    [InlineData("glmasr", null, "GLM-ASR-Nano-2512", "glm-asr", GenerationEvidence.Name)]
    [InlineData("chatglm", null, "glm-4-voice-9b", "glm-4-voice", GenerationEvidence.Name)]
    [InlineData("glm4moe", "…{%- if clear_thinking is defined %}…<tool_call>…", "GLM-4.5", "glm-4.7", GenerationEvidence.Template)]
    [InlineData(null, "clear_thinking <|assistant|>", "GLM-5", "glm-5", GenerationEvidence.Template)]
    [InlineData(null, "/nothink <tool_call> <|assistant|>", null, "glm-4.5", GenerationEvidence.Template)]
    [InlineData(null, "Reasoning Effort: {{ 'High' if x }} clear_thinking within the following", null, "glm-5.2", GenerationEvidence.Template)]
    [InlineData(null, "Reasoning Effort: {{ x in ['low', 'high'] }}", null, "glm-5.3", GenerationEvidence.Template)]
    [InlineData(null, "Reasoning Effort: {{ x in ['low'] }} <|begin_of_image|>", null, "glm-5.3-flash", GenerationEvidence.Template)]
    [InlineData(null, "defer_loading clear_thinking", null, "glm-5.1", GenerationEvidence.Template)]
    [InlineData(null, "<|begin_of_image|><tool_call>/nothink", null, "glm-ocr", GenerationEvidence.Template)]
    [InlineData(null, "<|begin_of_image|><tool_call>/nothink", "GLM-4.5V", "glm-4.5v", GenerationEvidence.Template)]
    [InlineData(null, "<|begin_of_image|><|assistant|>", null, "glm-4.1v", GenerationEvidence.Template)]
    [InlineData(null, "ChatGLM # 可用工具 <think>", null, "glm-z1", GenerationEvidence.Template)]
    [InlineData(null, "ChatGLM # 可用工具", null, "glm-4-9b-chat", GenerationEvidence.Template)]
    [InlineData(null, "[gMASK] # 可用工具", null, "glm-4-0414", GenerationEvidence.Template)]
    [InlineData(null, "<|system|><|user|><|assistant|>", null, "glm-edge", GenerationEvidence.Template)]
    [InlineData(null, null, null, "glm-4.7", GenerationEvidence.Default)]
    [InlineData("llama", null, "something", "glm-4.7", GenerationEvidence.Default)]
    public void A_model_tells_its_generation(string? architecture, string? template, string? name, string expected, GenerationEvidence evidence)
    {
        GenerationChoice choice = GenerationChoice.ForModel(architecture, template, name);
        Assert.Equal(expected, choice.Generation.Name);
        Assert.Equal(evidence, choice.Evidence);
    }
}
