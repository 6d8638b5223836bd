import * as $protobuf from "protobufjs";
import Long = require("long");

export namespace wire {

    interface IFrame extends wire.Frame.$Properties {
    }

    class Frame {
        constructor(properties?: wire.Frame.$Properties);
        $unknowns?: Uint8Array[];
        kind: number;
        id: number;
        code: number;
        body: Uint8Array;
        static encode(message: wire.Frame.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): wire.Frame & wire.Frame.$Shape;
    }

    namespace Frame {
        interface $Properties {
            kind?: (number|null);
            id?: (number|null);
            code?: (number|null);
            body?: (Uint8Array|null);
            $unknowns?: Uint8Array[];
        }
        type $Shape = wire.Frame.$Properties;
    }

    interface IHello extends wire.Hello.$Properties {
    }

    class Hello {
        constructor(properties?: wire.Hello.$Properties);
        $unknowns?: Uint8Array[];
        version: number;
        genesis: Uint8Array;
        runtime: Uint8Array;
        status: Uint8Array;
        static encode(message: wire.Hello.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): wire.Hello & wire.Hello.$Shape;
    }

    namespace Hello {
        interface $Properties {
            version?: (number|null);
            genesis?: (Uint8Array|null);
            runtime?: (Uint8Array|null);
            status?: (Uint8Array|null);
            $unknowns?: Uint8Array[];
        }
        type $Shape = wire.Hello.$Properties;
    }

    interface IEnvelope extends wire.Envelope.$Properties {
    }

    class Envelope {
        constructor(properties?: wire.Envelope.$Properties);
        $unknowns?: Uint8Array[];
        kind: number;
        body: Uint8Array;
        static encode(message: wire.Envelope.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): wire.Envelope & wire.Envelope.$Shape;
    }

    namespace Envelope {
        interface $Properties {
            kind?: (number|null);
            body?: (Uint8Array|null);
            $unknowns?: Uint8Array[];
        }
        type $Shape = wire.Envelope.$Properties;
    }

    interface IByteList extends wire.ByteList.$Properties {
    }

    class ByteList {
        constructor(properties?: wire.ByteList.$Properties);
        $unknowns?: Uint8Array[];
        items: Uint8Array[];
        static encode(message: wire.ByteList.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): wire.ByteList & wire.ByteList.$Shape;
    }

    namespace ByteList {
        interface $Properties {
            items?: (Uint8Array[]|null);
            $unknowns?: Uint8Array[];
        }
        type $Shape = wire.ByteList.$Properties;
    }

    interface IRange extends wire.Range.$Properties {
    }

    class Range {
        constructor(properties?: wire.Range.$Properties);
        $unknowns?: Uint8Array[];
        from: Uint8Array;
        count: number;
        bytesMax: number;
        static encode(message: wire.Range.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
        static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): wire.Range & wire.Range.$Shape;
    }

    namespace Range {
        interface $Properties {
            from?: (Uint8Array|null);
            count?: (number|null);
            bytesMax?: (number|null);
            $unknowns?: Uint8Array[];
        }
        type $Shape = wire.Range.$Properties;
    }
}
