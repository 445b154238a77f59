using System.Text.Json;
using System.Text.RegularExpressions;
using Glimmer.Inference.Routing.Definitions;
using Glimmer.Testing;
using YamlDotNet.RepresentationModel;

namespace Glimmer.Cli.Tests.Deploy;

/// <summary>
/// The deployment material against this build: what it names is there, what it sets is a setting. <c>scripts/deploy-check.sh</c> does the rest with
/// the validators of those who read it.
/// </summary>
public sealed partial class DeployTests
{
    private static string Root => Fixtures.RepositoryRoot;

    private static string Deploy => Path.Combine(Root, "deploy");

    [Theory]
    [InlineData("compose.yaml")]
    [InlineData("backends.yaml")]
    [InlineData("helm/glimmer/Chart.yaml")]
    [InlineData("helm/glimmer/values.yaml")]
    public void Every_file_parses(string name) => Assert.NotEmpty(((YamlMappingNode)Read(name)).Children);

    [Fact]
    public void Every_setting_is_one()
    {
        string settings = File.ReadAllText(Path.Combine(Root, "docs", "configuration.md"));
        HashSet<string> known = [.. SettingName().Matches(settings).Select(static match => match.Groups["name"].Value.Replace(":", "__", StringComparison.Ordinal).ToUpperInvariant())];
        var named = new HashSet<string>();
        foreach (string file in Directory.EnumerateFiles(Deploy, "*", SearchOption.AllDirectories).Where(static file => !file.Contains("node_modules", StringComparison.Ordinal) && !file.Contains($"{Path.DirectorySeparatorChar}secrets{Path.DirectorySeparatorChar}", StringComparison.Ordinal)))
            named.UnionWith(Variable().Matches(File.ReadAllText(file)).Select(static match => match.Groups["name"].Value));
        Assert.Contains("STORE__CONNECTIONSTRING", named);
        Assert.Contains("STORE__WHENAWAY", known);
        Assert.DoesNotContain(named, name => !known.Contains(name) && name != "GROUP__NAME");
    }

    [Fact]
    public void The_backends_of_the_compose_file_can_be_read()
    {
        BackendSet set = BackendFile.ReadFile(Path.Combine(Deploy, "backends.yaml"));
        var services = (YamlMappingNode)Read("compose.yaml")["services"];
        Assert.All(set.Backends, backend => Assert.Contains(backend.Url.Host, services.Children.Keys.Select(static key => key.ToString())));
    }

    [Fact]
    public void What_the_container_file_copies_is_there_and_let_through()
    {
        string[] lines = File.ReadAllLines(Path.Combine(Deploy, "Containerfile"));
        string[] let = [.. File.ReadAllLines(Path.Combine(Deploy, "Containerfile.dockerignore")).Where(static line => line.StartsWith('!')).Select(static line => line[1..])];
        string[] copied = [.. lines.Where(static line => line.StartsWith("COPY ", StringComparison.Ordinal) && !line.Contains("--from", StringComparison.Ordinal)).SelectMany(static line => line.Split(' ')[1..^1])];
        Assert.True(copied.Length > 4);
        Assert.All(copied, source =>
        {
            Assert.True(Path.Exists(Path.Combine(Root, source)), source);
            Assert.Contains(source, let);
        });
        Assert.Contains(lines, static line => line.StartsWith("USER ", StringComparison.Ordinal) && line != "USER root");
        Assert.Contains(lines, static line => line.StartsWith("HEALTHCHECK ", StringComparison.Ordinal));
    }

    [Fact]
    public void Nodes_stop_later_than_their_drain_and_have_no_folder_in_common()
    {
        var services = (YamlMappingNode)Read("compose.yaml")["services"];
        string[] data = [.. new[] { "node1", "node2" }.Select(name => ((YamlSequenceNode)services[name]["volumes"]).Select(static volume => volume.ToString()).Single(static volume => volume.EndsWith(":/var/lib/glimmer", StringComparison.Ordinal)))];
        Assert.Distinct(data);
        var node = (YamlMappingNode)((YamlMappingNode)Read("compose.yaml"))["x-node"];
        int drain = int.Parse(node["environment"]["GLIMMER__SHUTDOWN__DRAINSECONDS"].ToString(), System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal($"{drain + 15}s", node["stop_grace_period"].ToString());

        // In the chart the wait before the drain counts as well.
        Assert.Contains("command: [\"sleep\", \"5\"]", File.ReadAllText(Path.Combine(Deploy, "helm/glimmer/templates/statefulset.yaml")), StringComparison.Ordinal);
        Assert.Contains("terminationGracePeriodSeconds: {{ add .Values.drainSeconds 20 }}", File.ReadAllText(Path.Combine(Deploy, "helm/glimmer/templates/statefulset.yaml")), StringComparison.Ordinal);
    }

    [Fact]
    public void Compose_asks_each_service_where_it_listens_and_nodes_trust_their_own_network_alone()
    {
        YamlMappingNode compose = (YamlMappingNode)Read("compose.yaml");
        var llama = (YamlMappingNode)compose["services"]["llama"];
        string[] command = [.. ((YamlSequenceNode)llama["command"]).Select(static word => word.ToString())];
        string port = command[Array.IndexOf(command, "--port") + 1];
        Assert.Contains(((YamlSequenceNode)llama["healthcheck"]["test"]).Children, word => word.ToString() == $"http://127.0.0.1:{port}/health");

        // node2 waits for node1's health, which an image in OCI's format has only by this file.
        Assert.Contains("healthcheck.sh", ((YamlMappingNode)compose["x-node"])["healthcheck"]["test"].ToString(), StringComparison.Ordinal);
        string subnet = compose["networks"]["inner"]["ipam"]["config"][0]["subnet"].ToString();
        Assert.Equal(subnet, compose["x-node"]["environment"]["GLIMMER__LISTEN__TRUSTEDPROXIES"].ToString());
    }

    [Fact]
    public void The_image_keeps_the_garbage_collector_that_the_program_was_measured_with() =>
        Assert.DoesNotContain("gcServer=1", File.ReadAllText(Path.Combine(Deploy, "Containerfile")), StringComparison.OrdinalIgnoreCase);

    [Fact]
    public void Templates_use_values_that_are_there_and_the_schema_knows_them_all()
    {
        var values = (YamlMappingNode)Read("helm/glimmer/values.yaml");
        using JsonDocument schema = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Deploy, "helm/glimmer/values.schema.json")));
        Same(values, schema.RootElement, "values");
        int used = 0;
        foreach (string file in Directory.EnumerateFiles(Path.Combine(Deploy, "helm/glimmer/templates")))
        {
            string text = File.ReadAllText(file);
            Assert.Equal(text.Split("{{").Length, text.Split("}}").Length);
            Assert.Equal(Opens().Count(text), Ends().Count(text));
            foreach (Match match in Value().Matches(text))
            {
                YamlNode at = values;
                foreach (string part in match.Groups["name"].Value.Split('.'))
                    at = at is YamlMappingNode map && map.Children.TryGetValue(part, out YamlNode? next) ? next : throw new InvalidOperationException($"{Path.GetFileName(file)} uses {match.Value}, which values.yaml has not");
                used++;
            }
        }

        Assert.True(used > 30);

        static void Same(YamlMappingNode values, JsonElement schema, string path)
        {
            JsonElement properties = schema.GetProperty("properties");
            Assert.Equal(values.Children.Keys.Select(static key => key.ToString()).Order(StringComparer.Ordinal), properties.EnumerateObject().Select(static each => each.Name).Where(static name => name != "global").Order(StringComparer.Ordinal));
            foreach ((YamlNode key, YamlNode value) in values.Children)
            {
                if (value is YamlMappingNode map && properties.GetProperty(key.ToString()).TryGetProperty("properties", out _))
                    Same(map, properties.GetProperty(key.ToString()), $"{path}.{key}");
            }
        }
    }

    private static YamlNode Read(string name)
    {
        var stream = new YamlStream();
        using var text = new StreamReader(Path.Combine(Deploy, name));
        stream.Load(text);
        return Assert.Single(stream.Documents).RootNode;
    }

    [GeneratedRegex("GLIMMER__(?<name>[A-Z_]+)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Variable();

    [GeneratedRegex(@"^\| `(?<name>[A-Za-z:]+)`", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex SettingName();

    [GeneratedRegex(@"\.Values\.(?<name>[A-Za-z]+(\.[A-Za-z]+)*)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Value();

    [GeneratedRegex(@"\{\{-? *(if|range|with|define)\b", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Opens();

    [GeneratedRegex(@"\{\{-? *end\b", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Ends();
}
