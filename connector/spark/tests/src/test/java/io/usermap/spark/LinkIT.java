package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Enumeration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassVisitor;
import org.objectweb.asm.FieldVisitor;
import org.objectweb.asm.Handle;
import org.objectweb.asm.MethodVisitor;
import org.objectweb.asm.Opcodes;
import org.objectweb.asm.Type;

/** Every class, method and field of Spark, Scala and Hadoop that the one jar refers to exists in the Spark of this run. */
class LinkIT {
    private static final List<String> CHECKED =
            List.of("org/apache/spark/", "scala/", "org/apache/hadoop/", "com/fasterxml/jackson/", "org/slf4j/");

    private record Member(String owner, String name, String descriptor) {}

    private final Set<String> missing = new TreeSet<>();
    private int resolved;

    @Test
    void everyReferenceOfTheJarResolves() throws IOException {
        checkAll();

        assertThat(missing).isEmpty();
        assertThat(resolved).as("references looked at").isGreaterThan(200);
    }

    @Test
    void aReferenceThatDoesNotExistIsFound() {
        check(new Member("org/apache/spark/sql/SparkSession", "noSuchMethod", "()V"), true);
        check(new Member("org/apache/spark/NoSuchClass", "any", "()V"), true);

        assertThat(missing)
                .containsExactly("org/apache/spark/NoSuchClass", "org/apache/spark/sql/SparkSession.noSuchMethod()V");
    }

    private void checkAll() throws IOException {
        try (JarFile jar = new JarFile(LocalCluster.jar().toFile())) {
            for (Enumeration<JarEntry> entries = jar.entries(); entries.hasMoreElements(); ) {
                JarEntry entry = entries.nextElement();
                if (entry.getName().endsWith(".class") && entry.getName().startsWith("io/usermap/")) {
                    try (InputStream bytes = jar.getInputStream(entry)) {
                        new ClassReader(bytes).accept(new References(), 0);
                    }
                }
            }
        }
    }

    private void check(Member member, boolean method) {
        if (CHECKED.stream().noneMatch(member.owner()::startsWith)) {
            return;
        }
        resolved++;
        Class<?> owner = find(member.owner());
        if (owner == null) {
            missing.add(member.owner());
        } else if (method ? !hasMethod(owner, member) : !hasField(owner, member)) {
            missing.add(member.owner() + "." + member.name() + member.descriptor());
        }
    }

    private static @Nullable Class<?> find(String internalName) {
        try {
            return Class.forName(internalName.replace('/', '.'), false, LinkIT.class.getClassLoader());
        } catch (ClassNotFoundException e) {
            return null;
        }
    }

    private static boolean hasMethod(Class<?> owner, Member member) {
        boolean constructor = member.name().equals("<init>");
        for (Class<?> type : withSupertypes(owner, !constructor)) {
            boolean declares = constructor
                    ? List.of(type.getDeclaredConstructors()).stream()
                            .anyMatch(c -> Type.getConstructorDescriptor(c).equals(member.descriptor()))
                    : List.of(type.getDeclaredMethods()).stream()
                            .anyMatch(m -> m.getName().equals(member.name())
                                    && Type.getMethodDescriptor(m).equals(member.descriptor()));
            if (declares) {
                return true;
            }
        }
        return false;
    }

    private static boolean hasField(Class<?> owner, Member member) {
        return withSupertypes(owner, true).stream()
                .flatMap(type -> List.of(type.getDeclaredFields()).stream())
                .anyMatch(field -> field.getName().equals(member.name())
                        && Type.getDescriptor(field.getType()).equals(member.descriptor()));
    }

    private static List<Class<?>> withSupertypes(Class<?> type, boolean all) {
        List<Class<?>> types = new ArrayList<>();
        types.add(type);
        if (all) {
            for (Class<?> parent : type.getInterfaces()) {
                types.addAll(withSupertypes(parent, true));
            }
            if (type.getSuperclass() != null) {
                types.addAll(withSupertypes(type.getSuperclass(), true));
            } else if (type.isInterface()) {
                types.add(Object.class);
            }
        }
        return types;
    }

    private void checkType(Type type) {
        Type element = type.getSort() == Type.ARRAY ? type.getElementType() : type;
        if (element.getSort() == Type.OBJECT && CHECKED.stream().anyMatch(element.getInternalName()::startsWith)) {
            resolved++;
            if (find(element.getInternalName()) == null) {
                missing.add(element.getInternalName());
            }
        }
    }

    private void checkSignature(String descriptor) {
        checkType(Type.getReturnType(descriptor));
        for (Type argument : Type.getArgumentTypes(descriptor)) {
            checkType(argument);
        }
    }

    /** Walks a class file and checks all that its code, fields, signatures and supertypes name. */
    private final class References extends ClassVisitor {
        References() {
            super(Opcodes.ASM9);
        }

        @Override
        public void visit(int version, int access, String name, String signature, String parent, String[] interfaces) {
            checkType(Type.getObjectType(parent));
            for (String one : interfaces) {
                checkType(Type.getObjectType(one));
            }
        }

        @Override
        public @Nullable FieldVisitor visitField(
                int access, String name, String descriptor, String signature, Object value) {
            checkType(Type.getType(descriptor));
            return null;
        }

        @Override
        public MethodVisitor visitMethod(
                int access, String name, String descriptor, String signature, String[] exceptions) {
            checkSignature(descriptor);
            return new MethodVisitor(Opcodes.ASM9) {
                @Override
                public void visitMethodInsn(
                        int opcode, String owner, String method, String methodDescriptor, boolean isInterface) {
                    check(new Member(owner, method, methodDescriptor), true);
                }

                @Override
                public void visitFieldInsn(int opcode, String owner, String field, String fieldDescriptor) {
                    check(new Member(owner, field, fieldDescriptor), false);
                }

                @Override
                public void visitTypeInsn(int opcode, String type) {
                    checkType(Type.getObjectType(type));
                }

                @Override
                public void visitInvokeDynamicInsn(
                        String method, String methodDescriptor, Handle bootstrap, Object... arguments) {
                    checkSignature(methodDescriptor);
                    for (Object argument : arguments) {
                        if (argument instanceof Handle handle) {
                            boolean field = handle.getTag() <= Opcodes.H_PUTSTATIC;
                            check(new Member(handle.getOwner(), handle.getName(), handle.getDesc()), !field);
                        }
                    }
                }
            };
        }
    }
}
