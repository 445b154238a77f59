using Glimmer.Engine.Placement;
using Glimmer.Engine.Tests.Fakes;
using Glimmer.Kernels;

namespace Glimmer.Engine.Tests.Placement;

public sealed class PlacementTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("glimmer-numa-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Two_sockets_with_two_threads_per_core_are_read()
    {
        NumaTopology topology = Machine(nodes: 2, coresPerNode: 4, twoThreads: true);

        Assert.Equal([0, 1], topology.Nodes.Select(node => node.Id));
        Assert.Equal(8, topology.Cores);
        Assert.Equal([0, 8], topology.Nodes[0].Cores[0]);
        Assert.Equal([7, 15], topology.Nodes[1].Cores[3]);
    }

    [Fact]
    public void Processors_that_the_process_may_not_use_do_not_count()
    {
        NumaTopology topology = Machine(nodes: 2, coresPerNode: 4, twoThreads: true, allowed: "1-3,9");
        Assert.Equal(3, topology.Cores);
        Assert.Equal([1, 9], Assert.Single(topology.Nodes).Cores[0]);
    }

    [Theory]
    [InlineData("0-3,8,10-11", 7)]
    [InlineData("", 0)]
    [InlineData("5", 1)]
    public void Lists_are_read(string text, int count) => Assert.Equal(count, NumaTopology.ParseList(text)!.Count);

    [Theory]
    [InlineData("3-1")]
    [InlineData("a")]
    [InlineData("1-2-3")]
    [InlineData("-1")]
    [InlineData("0-999999999")]
    [InlineData("1--2")]
    public void What_is_no_list_is_refused(string text) => Assert.Null(NumaTopology.ParseList(text));

    [Fact]
    public void A_system_that_tells_nothing_has_no_topology()
    {
        Assert.Null(NumaTopology.Read(_root));
        Write("sys/devices/system/node/node0/cpulist", "rubbish");
        Write("sys/devices/system/node/nodeX/cpulist", "0-3");
        Assert.Null(NumaTopology.Read(_root));
    }

    [Fact]
    public void Threads_are_spread_or_packed_one_to_a_core()
    {
        NumaTopology topology = Machine(nodes: 2, coresPerNode: 4, twoThreads: true);

        Assert.Equal([0, 1, 4, 5], Processors(ThreadPlacement.Auto, 4));
        Assert.Equal([0, 1, 2, 3], Processors(ThreadPlacement.Compact, 4));
        Assert.Equal([0, 1, 2, 4, 5], Processors(ThreadPlacement.Spread, 5));
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7], Processors(ThreadPlacement.Spread, 8));
        Assert.Null(PlacementPlan.Make(topology, ThreadPlacement.Spread, 9));
        Assert.Null(PlacementPlan.Make(topology, ThreadPlacement.None, 4));
        Assert.Null(PlacementPlan.Make(null, ThreadPlacement.Spread, 4));

        IEnumerable<int> Processors(ThreadPlacement placement, int threads) => PlacementPlan.Make(topology, placement, threads)!.Seats.Select(seat => seat.Processor);
    }

    [Fact]
    public void Auto_leaves_machines_with_one_memory_node_alone()
    {
        NumaTopology topology = Machine(nodes: 1, coresPerNode: 4, twoThreads: false);
        Assert.Null(PlacementPlan.Make(topology, ThreadPlacement.Auto, 4));
        Assert.Equal(4, PlacementPlan.Make(topology, ThreadPlacement.Spread, 4)!.Seats.Count);
    }

    [Theory]
    [InlineData(4096, 16)]
    [InlineData(1000, 16)]
    [InlineData(7, 16)]
    [InlineData(0, 1)]
    [InlineData(151552, 32)]
    public void Rows_are_shared_out_in_whole_tiles_without_gap(int rows, int tile)
    {
        NumaTopology topology = Machine(nodes: 4, coresPerNode: 3, twoThreads: false);
        for (int threads = 1; threads <= 12; threads++)
        {
            PlacementPlan plan = PlacementPlan.Make(topology, ThreadPlacement.Spread, threads)!;
            IReadOnlyList<RowShare> shares = plan.RowsOf(rows, tile);
            Assert.Equal(plan.Nodes, shares.Select(share => share.Node));
            int next = 0;
            foreach (RowShare share in shares)
            {
                Assert.Equal(next, share.FirstRow);
                Assert.True(share.FirstRow % tile == 0 || share.FirstRow == rows);
                double fair = (double)rows * plan.Seats.Count(seat => seat.Node == share.Node) / threads;
                Assert.InRange(share.Rows, fair - tile, fair + tile);
                next += share.Rows;
            }

            Assert.Equal(rows, next);
        }
    }

    [Fact]
    public void Every_thread_of_a_team_gets_a_seat_of_its_own()
    {
        NumaTopology topology = Machine(nodes: 2, coresPerNode: 2, twoThreads: false);
        PlacementPlan plan = PlacementPlan.Make(topology, ThreadPlacement.Spread, 4)!;
        using ThreadTeam team = new(4);
        Dictionary<int, int> seats = [];
        Lock gate = new();

        int bound = TeamPlacement.Pin(team, plan, processor =>
        {
            lock (gate)
                seats.Add(Environment.CurrentManagedThreadId, processor);
            return processor != 3;
        });

        Assert.Equal(3, bound);
        Assert.Equal([0, 1, 2, 3], seats.Values.Order());
        Assert.Contains(Environment.CurrentManagedThreadId, seats.Keys);
    }

    [Fact]
    public async Task An_engine_answers_the_same_with_its_threads_bound_or_refused()
    {
        int[] prompt = Rig.Prompt(1, 50);
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options with { Threads = 2, Placement = ThreadPlacement.Spread });
        RecordingSink sink = engine.Start(prompt, 20);
        await sink.Ended.Soon();
        Assert.Equal(Rig.Alone(model, prompt, 20), sink.Tokens);
        Assert.False(SystemPlacement.TryPin(-1));
        Assert.False(SystemPlacement.TryPin(1 << 20));
    }

    private NumaTopology Machine(int nodes, int coresPerNode, bool twoThreads, string? allowed = null)
    {
        int cores = nodes * coresPerNode;
        for (int node = 0; node < nodes; node++)
        {
            int first = node * coresPerNode, last = first + coresPerNode - 1;
            Write($"sys/devices/system/node/node{node}/cpulist", twoThreads ? $"{first}-{last},{first + cores}-{last + cores}\n" : $"{first}-{last}\n");
            for (int core = first; core <= last; core++)
            {
                string siblings = twoThreads ? $"{core},{core + cores}\n" : $"{core}\n";
                Write($"sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list", siblings);
                if (twoThreads)
                    Write($"sys/devices/system/cpu/cpu{core + cores}/topology/thread_siblings_list", siblings);
            }
        }

        if (allowed is not null)
            Write("proc/self/status", $"Name:\tx\nCpus_allowed_list:\t{allowed}\n");
        return NumaTopology.Read(_root)!;
    }

    private void Write(string path, string text)
    {
        string file = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }
}
