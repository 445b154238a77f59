using System.CommandLine;
using Glimmer.Cli.Hub;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer models</c> and <c>glimmer verify</c>: what was pulled, where it is, whether it is still whole.</summary>
internal static class ModelsCommand
{
    public static Command Create()
    {
        Command list = new("list", "List pulled models.");
        list.SetAction(_ => List());

        Argument<string> where = new("MODEL") { Description = "Model as it was pulled." };
        Command path = new("where", "Print the folder of a model.") { where };
        path.SetAction(result => Where(result.GetValue(where)!));

        Argument<string> gone = new("MODEL") { Description = "Model as it was pulled." };
        Command remove = new("remove", "Delete a pulled model.") { gone };
        remove.SetAction(result => Remove(result.GetValue(gone)!));

        Command command = new("models", "List, find and remove pulled models.") { list, path, remove };
        command.SetAction(_ => List());
        return command;
    }

    public static Command CreateVerify()
    {
        Argument<string[]> models = new("MODEL") { Description = "Models to check; all when none is named.", Arity = ArgumentArity.ZeroOrMore };
        Command command = new("verify", "Compare pulled models with the checksums of their hub.") { models };
        command.SetAction((result, cancel) => VerifyAsync(result.GetValue(models) ?? [], cancel));
        return command;
    }

    private static int List()
    {
        ModelStore store = ModelStore.ForUser();
        int count = 0;
        foreach ((string folder, ModelManifest? manifest, string? fault) in store.List())
        {
            count++;
            Console.WriteLine(manifest is null ? $"{fault}" : $"{manifest.Reference,-48} {Bytes.Text(manifest.Size),10}  {folder}");
        }

        if (count == 0)
            Console.WriteLine($"No models in {store.Root} yet. Pull one: glimmer pull zai-org/GLM-4.7-Flash:Q4_K_M");
        return 0;
    }

    private static int Where(string model)
    {
        if (!TryFind(model, out string folder, out _))
            return 1;
        Console.WriteLine(folder);
        return 0;
    }

    private static int Remove(string model)
    {
        if (!TryFind(model, out string folder, out ModelManifest? manifest))
            return 1;
        // Only what the manifest names is deleted: whatever else the user put there stays.
        foreach (HubFile file in manifest!.Files)
        {
            foreach (string suffix in (string[])["", ".part", ".part.log"])
                File.Delete(Path.Combine(folder, file.Path + suffix));
        }

        File.Delete(Path.Combine(folder, ModelStore.ManifestName));
        for (string? empty = folder; empty is not null && empty.Length > ModelStore.ForUser().Root.Length && !Directory.EnumerateFileSystemEntries(empty).Any(); empty = Path.GetDirectoryName(empty))
            Directory.Delete(empty);
        Console.WriteLine($"Removed {manifest.Reference}, {Bytes.Text(manifest.Size)}.");
        return 0;
    }

    private static async Task<int> VerifyAsync(string[] models, CancellationToken cancel)
    {
        ModelStore store = ModelStore.ForUser();
        List<(string Folder, ModelManifest? Manifest, string? Fault)> chosen = [];
        if (models.Length == 0)
        {
            chosen.AddRange(store.List());
        }
        else
        {
            foreach (string model in models)
            {
                if (!TryFind(model, out string folder, out ModelManifest? manifest))
                    return 1;
                chosen.Add((folder, manifest, null));
            }
        }

        bool whole = true;
        foreach ((string folder, ModelManifest? manifest, string? unreadable) in chosen)
        {
            if (manifest is null)
            {
                whole = false;
                Console.Error.WriteLine($"verify: {unreadable}");
                continue;
            }

            foreach (HubFile file in manifest.Files)
            {
                string? fault = await FileChecksum.FaultAsync(Path.Combine(folder, file.Path), file, null, cancel);
                whole &= fault is null;
                Console.WriteLine($"{(fault is null ? "ok  " : "FAIL")} {manifest.Reference} {file.Path}{(fault is null ? file.Checksum is null ? " (size only: the hub gave no checksum)" : "" : ": " + fault)}");
            }
        }

        return whole ? 0 : 1;
    }

    private static bool TryFind(string model, out string folder, out ModelManifest? manifest)
    {
        folder = "";
        manifest = null;
        if (!ModelReference.TryParse(model, out ModelReference? reference, out string? fault))
        {
            Console.Error.WriteLine($"models: {fault}");
            return false;
        }

        ModelStore store = ModelStore.ForUser();
        folder = store.FolderOf(reference);
        (manifest, fault) = File.Exists(Path.Combine(folder, ModelStore.ManifestName)) ? ModelStore.Read(folder) : (null, $"{model} was not pulled into {store.Root}; `glimmer models` lists what is there");
        if (manifest is not null)
            return true;
        Console.Error.WriteLine($"models: {fault}.");
        return false;
    }
}
