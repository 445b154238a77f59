using Glimmer.Cli.Hub;

namespace Glimmer.Cli.Tests.Hub;

public sealed class ModelReferenceTests
{
    [Theory]
    [InlineData("zai-org/GLM-4.7-Flash", "zai-org", "GLM-4.7-Flash", null, null)]
    [InlineData("zai-org/GLM-4.7-Flash:Q4_K_M", "zai-org", "GLM-4.7-Flash", "Q4_K_M", null)]
    [InlineData("zai-org/GLM-4.7-Flash@refs/pr/3", "zai-org", "GLM-4.7-Flash", null, "refs/pr/3")]
    [InlineData("a/b:Q8_0@v1", "a", "b", "Q8_0", "v1")]
    public void A_name_is_read_in_its_parts(string text, string owner, string name, string? quantisation, string? revision)
    {
        Assert.True(ModelReference.TryParse(text, out ModelReference? reference, out _));
        Assert.Equal(new ModelReference(owner, name, quantisation, revision), reference);
        Assert.Equal(text, reference.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("glm")]
    [InlineData("../x")]
    [InlineData("a/..")]
    [InlineData("a/b/c")]
    [InlineData("a b/c")]
    [InlineData("a/b:")]
    [InlineData("https://host/a/b")]
    public void Anything_else_is_refused_with_an_example(string text)
    {
        Assert.False(ModelReference.TryParse(text, out _, out string? fault));
        Assert.Contains("is not the name of a model", fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GLM-4.7-Flash-Q4_K_M.gguf", "Q4_K_M")]
    [InlineData("sub/GLM-4.7-Flash-UD-IQ2_XXS.gguf", "UD-IQ2_XXS")]
    [InlineData("glm.q8_0-00001-of-00003.gguf", "Q8_0")]
    [InlineData("GLM-4-9B-BF16.gguf", "BF16")]
    [InlineData("something.gguf", "something")]
    public void The_quantisation_is_read_off_the_file_name(string path, string expected) =>
        Assert.Equal(expected, FileSelection.QuantisationOf(new HubFile(path, 1, ChecksumKind.Sha256, null)));
}
